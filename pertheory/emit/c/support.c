/* ---- pt_packing: how arrays are stored. Of entries that are equal by symmetry the one with the lexicographically
 * largest indices is kept; kept entries stand in lexicographic order. With all leading indices given, the next index
 * runs from 0 to a bound; places are found by a table of offsets for each index but the last. ---- */

#define PT_MOST_RANK 16

typedef struct pt_packing {
    int rank;
    int elements;                  /* permutations in symmetry; 0 if the symmetry is that of the classes */
    const unsigned char *symmetry; /* elements x rank */
    int classes;
    const unsigned char *class_size;
    const unsigned long *counts;   /* rank rows of rank + 1 coefficients, see pt_prefixes */
} pt_packing;

/* ---- pt_times ---- */

/* Product of two sizes; SIZE_MAX stands for "too large" and stays. */
static size_t pt_times(size_t left, size_t right)
{
    if (left == 0 || right == 0)
        return 0;
    return left > (size_t)-1 / right ? (size_t)-1 : left * right;
}

/* ---- pt_plus ---- */

static size_t pt_plus(size_t left, size_t right)
{
    return left > (size_t)-1 - right ? (size_t)-1 : left + right;
}

/* ---- pt_power ---- */

static size_t pt_power(size_t n, int exponent)
{
    size_t result = 1;
    while (exponent-- > 0)
        result = pt_times(result, n);
    return result;
}

/* ---- pt_prefixes ---- */

/* Number of beginnings of the given length that kept entries have: a sum of binomials of n - 1. */
static size_t pt_prefixes(const pt_packing *p, size_t n, int length)
{
    const unsigned long *count = p->counts + (size_t)(length - 1) * (size_t)(p->rank + 1);
    size_t total = 0, binomial = 1;
    int j;
    if (pt_power(n, length) == (size_t)-1)
        return (size_t)-1;
    for (j = 0; j <= length && binomial > 0; j++) {
        total = pt_plus(total, pt_times(count[j], binomial));
        /* C(n-1, j+1) = C(n-1, j) (n-1-j) / (j+1), exactly */
        binomial = pt_times(binomial, n - 1 > (size_t)j ? n - 1 - (size_t)j : 0);
        if (binomial == (size_t)-1)
            return (size_t)-1;
        binomial /= (size_t)j + 1;
    }
    return total;
}

/* ---- pt_entries ---- */

/* Number of kept entries. */
static size_t pt_entries(const pt_packing *p, size_t n)
{
    return pt_prefixes(p, n, p->rank);
}

/* ---- pt_state_size ---- */

/* Doubles of the first `count` tensors of a state. */
static size_t pt_state_size(const pt_packing *const *packings, int count, size_t n)
{
    size_t total = 0;
    int t;
    for (t = 0; t < count; t++)
        total = pt_plus(total, pt_entries(packings[t], n));
    return total;
}

/* ---- pt_take ---- */

/* The next `size` doubles of the workspace; without a workspace it only counts. */
static double *pt_take(double *memory, size_t *used, size_t size)
{
    double *start = memory == NULL ? NULL : memory + *used;
    *used = pt_plus(*used, size);
    return start;
}

/* ---- pt_children ---- */

/* How many values the index after the first k may take. */
static size_t pt_children(const pt_packing *p, size_t n, const size_t *index, int k)
{
    size_t children = n;
    int element, t, start = 0, c;
    if (p->elements == 0) {
        for (c = 0; start + p->class_size[c] <= k; c++)
            start += p->class_size[c];
        return start == k ? n : index[k - 1] + 1;
    }
    for (element = 1; element < p->elements; element++) {
        const unsigned char *g = p->symmetry + element * p->rank;
        for (t = 0; t < k; t++) {
            const int u = g[t];
            if (u == k) {
                /* the new index may not exceed this one, and may equal it if what follows is not larger */
                size_t most = index[t] + 1;
                int s;
                for (s = t + 1; s < p->rank; s++) {
                    const size_t left = s < k ? index[s] : s == k ? index[t] : 0;
                    const size_t right = g[s] < k ? index[g[s]] : g[s] == k ? index[t] : 0;
                    if (left != right) {
                        if (left < right)
                            most--;
                        break;
                    }
                }
                if (most < children)
                    children = most;
                break;
            }
            if (index[t] > (u < k ? index[u] : 0))
                break;
        }
    }
    return children;
}

/* ---- pt_next ---- */

/* Steps to the next beginning of length k; returns 0 after the last one. Start with zeros. */
static int pt_next(const pt_packing *p, size_t n, size_t *index, int k)
{
    int at = k - 1;
    while (at >= 0) {
        if (index[at] + 1 < pt_children(p, n, index, at)) {
            int t;
            index[at]++;
            for (t = at + 1; t < k; t++)
                index[t] = 0;
            return 1;
        }
        at--;
    }
    return 0;
}

/* ---- pt_table_size ---- */

/* Offsets of a packing, all tables together; none are needed without symmetry. */
static size_t pt_table_size(const pt_packing *p, size_t n)
{
    size_t total = 0;
    int k;
    if (p->classes == p->rank)
        return 0;
    for (k = 1; k < p->rank; k++)
        total = pt_plus(total, pt_plus(pt_prefixes(p, n, k), 1));
    return total;
}

/* ---- pt_offsets ---- */

/* Sets the offsets of a beginning of length k and of all that continue it; used and next count, for each length, the
 * beginnings so far and those that continue them. */
static void pt_offsets(const pt_packing *p, size_t n, size_t **rows, size_t *index, size_t *used, size_t *next, int k)
{
    const size_t children = pt_children(p, n, index, k);
    rows[k - 1][used[k]++] = next[k];
    next[k] += children;
    if (k + 1 < p->rank)
        for (index[k] = 0; index[k] < children; index[k]++)
            pt_offsets(p, n, rows, index, used, next, k + 1);
}

/* ---- pt_table ---- */

/* Fills the tables: rows[k - 1][r] is the number of the first beginning of length k + 1 that continues beginning number
 * r of length k. */
static void pt_table(const pt_packing *p, size_t n, size_t *memory, size_t **rows)
{
    size_t index[PT_MOST_RANK] = {0}, used[PT_MOST_RANK] = {0}, next[PT_MOST_RANK] = {0};
    int k;
    if (p->classes == p->rank)
        return;
    for (k = 1; k < p->rank; k++) {
        rows[k - 1] = memory;
        memory += pt_prefixes(p, n, k) + 1;
    }
    for (index[0] = 0; index[0] < n; index[0]++)
        pt_offsets(p, n, rows, index, used, next, 1);
    for (k = 1; k < p->rank; k++)
        rows[k - 1][used[k]] = next[k];
}

/* ---- pt_largest ---- */

/* Brings an index tuple into the kept order. */
static void pt_largest(const pt_packing *p, const size_t *index, size_t *kept)
{
    int t, element;
    if (p->elements == 0) {
        int start = 0, c;
        for (c = 0; c < p->classes; c++) {
            const int size = p->class_size[c];
            for (t = 0; t < size; t++) {
                const size_t value = index[start + t];
                int s = start + t;
                for (; s > start && kept[s - 1] < value; s--)
                    kept[s] = kept[s - 1];
                kept[s] = value;
            }
            start += size;
        }
        return;
    }
    for (t = 0; t < p->rank; t++)
        kept[t] = index[t];
    for (element = 1; element < p->elements; element++) {
        const unsigned char *g = p->symmetry + element * p->rank;
        for (t = 0; t < p->rank && index[g[t]] == kept[t]; t++) {
        }
        if (t < p->rank && index[g[t]] > kept[t])
            for (; t < p->rank; t++)
                kept[t] = index[g[t]];
    }
}

/* ---- pt_is_kept ---- */

/* Whether an index tuple is one that is stored. */
static int pt_is_kept(const pt_packing *p, const size_t *index)
{
    size_t kept[PT_MOST_RANK];
    pt_largest(p, index, kept);
    return memcmp(index, kept, (size_t)p->rank * sizeof *kept) == 0;
}

/* ---- pt_place ---- */

/* The place of a kept index tuple. */
static size_t pt_place(const pt_packing *p, size_t *const *rows, size_t n, const size_t *kept)
{
    size_t place = kept[0];
    int k;
    for (k = 1; k < p->rank; k++)
        place = (p->classes == p->rank ? place * n : rows[k - 1][place]) + kept[k];
    return place;
}

/* ---- PT_BLOCK ---- */

/* The two loops around the innermost one go in blocks of this many, so that operands that are read across their rows are
 * copied in whole cache lines. */
#define PT_BLOCK 8

/* ---- PT_OUTER ---- */

/* As PT_BLOCK for the loop around those two; smaller, so that copies of all operands stay in the cache. */
#define PT_OUTER 4

/* ---- pt_least ---- */

static size_t pt_least(size_t left, size_t right)
{
    return left < right ? left : right;
}

/* ---- PT_PREFETCH ---- */

/* Asks for a cache line that is needed soon. */
#if defined(__GNUC__)
#define PT_PREFETCH(where) __builtin_prefetch(where)
#else
#define PT_PREFETCH(where) ((void)0)
#endif

/* ---- PT_RUNS ---- */

/* Rows of neighbours that are asked for from memory before the first of them is copied. */
#define PT_RUNS 32

/* ---- pt_box: a part of an array that is copied into a dense one, see pt_copy. ---- */

typedef struct pt_run {
    const double *source;
    double *target;
    size_t count;
    size_t step; /* between two entries of the target */
} pt_run;

typedef struct pt_box {
    const pt_packing *packing;
    size_t *const *rows;
    const double *array;
    size_t n;
    const size_t *from, *to;    /* ranges of the indices */
    const size_t *stride;       /* of the indices in the copy */
    const unsigned char *axes;  /* which index stands on each axis, in the order that is looked for */
    size_t value[PT_MOST_RANK]; /* of the indices that are set so far */
    int is_set[PT_MOST_RANK];
    int runs;
    pt_run run[PT_RUNS];
} pt_box;

/* ---- pt_copy_runs ---- */

static void pt_copy_runs(pt_box *box)
{
    const pt_run *run = box->run, *const end = run + box->runs;
    for (; run < end; run++) {
        const double *restrict const source = run->source;
        double *restrict const target = run->target;
        const size_t count = run->count, step = run->step;
        size_t u = 0;
        if (step == 1) {
            for (; u + 8 <= count; u += 8) {
                int k;
                for (k = 0; k < 8; k++)
                    target[u + (size_t)k] = source[u + (size_t)k];
            }
            for (; u < count; u++)
                target[u] = source[u];
        } else {
            for (; u + 4 <= count; u += 4) {
                double *const here = target + u * step;
                here[0] = source[u];
                here[step] = source[u + 1];
                here[2 * step] = source[u + 2];
                here[3 * step] = source[u + 3];
            }
            for (; u < count; u++)
                target[u * step] = source[u];
        }
    }
    box->runs = 0;
}

/* ---- pt_walk ---- */

/* Copies the kept entries behind a beginning of length k, in the order in which they stand in memory. */
static void pt_walk(pt_box *box, int k, size_t place, double *out)
{
    const int rank = box->packing->rank, dense = box->packing->classes == rank, axis = box->axes[k];
    const size_t start = k == 0 ? 0 : dense ? place * box->n : box->rows[k - 1][place];
    const size_t count = k == 0 || dense ? box->n : box->rows[k - 1][place + 1] - start;
    const int is_set = box->is_set[axis];
    const size_t low = is_set ? box->value[axis] : box->from[axis];
    const size_t most = is_set ? low + 1 : box->to[axis], high = most < count ? most : count;
    const size_t step = is_set ? 0 : box->stride[axis];
    size_t v;
    if (k < rank - 2) {
        box->is_set[axis] = 1;
        for (v = low; v < high; v++, out += step) {
            box->value[axis] = v;
            pt_walk(box, k + 1, start + v, out);
        }
        box->is_set[axis] = is_set;
    } else { /* the last two axes: rows of neighbours */
        const int last = box->axes[rank - 1], tied = last == axis, known = !tied && box->is_set[last];
        const size_t first = known ? box->value[last] : tied ? 0 : box->from[last];
        const size_t past = known ? first + 1 : box->to[last];
        const size_t jump = tied || known ? 1 : box->stride[last];
        const size_t *const ends = dense ? NULL : box->rows[k];
        for (v = low; v < high; v++, out += step) {
            const size_t row = dense ? (start + v) * box->n : ends[start + v];
            const size_t end = dense ? box->n : ends[start + v + 1] - row;
            const size_t begin = tied ? v : first, wanted = tied ? v + 1 : past, stop = wanted < end ? wanted : end;
            const double *const source = box->array + row + begin;
            const size_t length = stop - begin;
            pt_run *run;
            size_t u;
            if (stop <= begin)
                continue;
            for (u = 0; u < length; u += 8)
                PT_PREFETCH(source + u);
            PT_PREFETCH(source + length - 1);
            run = box->run + box->runs++;
            run->source = source;
            run->target = out;
            run->count = length;
            run->step = jump;
            if (box->runs == PT_RUNS)
                pt_copy_runs(box);
        }
    }
}

/* ---- pt_copy ---- */

/* A dense copy of the entries whose indices are in given ranges.
 *
 * orders lists the ways in which the indices may stand on the axes of a kept entry: each part of the box is read in the
 * order in which it lies in memory, in whole cache lines, and written across. */
static void pt_copy(const pt_packing *p, size_t *const *rows, const double *array, const unsigned char *orders,
                    int count, size_t n, const size_t *from, const size_t *to, const size_t *stride, double *out)
{
    pt_box box;
    int t;
    box.packing = p;
    box.rows = rows;
    box.array = array;
    box.n = n;
    box.from = from;
    box.to = to;
    box.stride = stride;
    box.axes = orders;
    box.runs = 0;
    for (t = 0; t < p->rank; t++)
        box.is_set[t] = 0;
    for (; count > 0; count--, box.axes += p->rank) {
        int c, possible = 1;
        t = 0;
        for (c = 0; c < p->classes; c++) { /* inside a class indices do not increase */
            const int end = t + p->class_size[c];
            for (t++; t < end; t++)
                possible &= from[box.axes[t]] < to[box.axes[t - 1]];
        }
        if (possible)
            pt_walk(&box, 0, 0, out);
    }
    pt_copy_runs(&box);
}

/* ---- pt_reach ---- */

/* The most values that the index behind beginnings of length k takes, over those beginnings in given ranges that are
 * kept; 0 if there are none. */
static size_t pt_reach(const pt_packing *p, size_t *const *rows, size_t n, const size_t *from, const size_t *to, int k,
                       int at, size_t place)
{
    size_t most = 0, v, start, count, high;
    if (p->classes == p->rank)
        return n;
    start = at == 0 ? 0 : rows[at - 1][place];
    count = at == 0 ? n : rows[at - 1][place + 1] - start;
    if (at == k)
        return count;
    high = to[at] < count ? to[at] : count;
    for (v = from[at]; v < high; v++) {
        const size_t found = pt_reach(p, rows, n, from, to, k, at + 1, start + v);
        most = found > most ? found : most;
    }
    return most;
}

/* ---- pt_view ---- */

/* A dense copy over `count` indices: out[i_0, .., i_(count-1)] is the entry of the array with these on its axes. */
static void pt_view(const pt_packing *p, size_t *const *rows, const double *array, const unsigned char *orders,
                    int ways, int count, size_t n, double *out)
{
    size_t from[PT_MOST_RANK] = {0}, to[PT_MOST_RANK], stride[PT_MOST_RANK], size = 1;
    int at;
    for (at = count - 1; at >= 0; at--) {
        stride[at] = size;
        size *= n;
    }
    do {
        size_t place = 0;
        for (at = 0; at < count; at++) {
            to[at] = pt_least(from[at] + PT_BLOCK, n);
            place += from[at] * stride[at];
        }
        pt_copy(p, rows, array, orders, ways, n, from, to, stride, out + place);
        for (at = count - 1; at >= 0 && (from[at] += PT_BLOCK) >= n; at--)
            from[at] = 0;
    } while (at >= 0);
}

/* ---- pt_padded ---- */

/* The length of rows of copies: whole cache lines, an odd number of them, so that a column does not fall into one set of
 * the cache. */
static size_t pt_padded(size_t n)
{
    return ((n + 7) / 8 | 1) * 8;
}

/* ---- pt_tile ---- */

/* Doubles of a copy of the entries that are computed together, for a result of some rank. */
static size_t pt_tile(size_t n, int rank)
{
    size_t rows = 1;
    if (rank < 3)
        return n;
    rows = pt_least(PT_BLOCK, n) * pt_least(PT_BLOCK, n);
    if (rank > 3)
        rows *= pt_least(PT_OUTER, n);
    return pt_times(rows, pt_padded(n));
}

/* ---- pt_is_finite ---- */

static int pt_is_finite(const double *values, size_t count)
{
    size_t i;
    int found = 1;
    for (i = 0; i < count; i++)
        found &= fabs(values[i]) <= DBL_MAX;
    return found;
}

/* ---- pt_is_within ---- */

static int pt_is_within(const double *values, size_t count, double bound)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (!(fabs(values[i]) <= bound))
            return 0;
    return 1;
}

/* ---- pt_has_overflow ---- */

/* Whether an entry is infinite; NaN is not. */
static int pt_has_overflow(const double *values, size_t count)
{
    size_t i;
    int found = 0;
    for (i = 0; i < count; i++)
        found |= fabs(values[i]) > DBL_MAX;
    return found;
}

/* ---- pt_has_nan ---- */

static int pt_has_nan(const double *values, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (isnan(values[i]))
            return 1;
    return 0;
}

/* ---- pt_judged ---- */

/* What the results of a level are worth: PT_OK where all are finite. `found` is what the averages are worth: where one
 * has no finite value, or had none below, NaN goes on from there; any other NaN, and infinity, is a product that left
 * the range. */
static int pt_judged(const double *values, size_t count, int found, const double *below, size_t below_count,
                     double *const *averages, const pt_packing *const *packings, int requests, size_t n)
{
    int t;
    if (pt_is_finite(values, count))
        return PT_OK;
    if (pt_has_overflow(below, below_count))
        return PT_NOT_FINITE;
    for (t = 0; t < requests; t++)
        if (averages[t] != NULL && pt_has_overflow(averages[t], pt_entries(packings[t], n)))
            return PT_NOT_FINITE;
    if (pt_has_overflow(values, count))
        return PT_OVERFLOW;
    if (found == PT_DIVERGENT || found == PT_UNDEFINED)
        return found;
    return pt_has_nan(below, below_count) ? PT_DIVERGENT : PT_OVERFLOW;
}

/* ---- pt_given ---- */

/* What averages that are given are worth, as a routine would say it. */
static int pt_given(double *const *averages, const pt_packing *const *packings, int requests, size_t n)
{
    int t;
    for (t = 0; t < requests; t++)
        if (averages[t] != NULL && pt_has_nan(averages[t], pt_entries(packings[t], n)))
            return PT_DIVERGENT;
    return PT_OK;
}

/* ---- pt_worse ---- */

/* Of two warnings the one to report. */
static int pt_worse(int first, int second)
{
    static const int order[] = {PT_DIVERGENT, PT_UNDEFINED, PT_ACCURACY};
    int k;
    for (k = 0; k < 3; k++)
        if (first == order[k] || second == order[k])
            return order[k];
    return PT_OK;
}

/* ---- pt_agree ---- */

/* What two results do not agree about is no number. */
static void pt_agree(double *values, const double *others, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (!(values[i] == others[i]))
            values[i] = NAN;
}

/* ---- pt_unpack ---- */

/* Writes every entry of a dense row-major array from the kept ones. */
static void pt_unpack(const pt_packing *p, size_t n, const double *packed, double *dense)
{
    size_t index[PT_MOST_RANK] = {0}, at[PT_MOST_RANK];
    int t, element;
    if (p->elements == 0 && p->classes == p->rank) {
        memcpy(dense, packed, pt_entries(p, n) * sizeof *dense);
        return;
    }
    if (p->elements > 0) {
        do {
            for (element = 0; element < p->elements; element++) {
                const unsigned char *g = p->symmetry + element * p->rank;
                size_t place = 0;
                for (t = 0; t < p->rank; t++)
                    place = place * n + index[g[t]];
                dense[place] = *packed;
            }
            packed++;
        } while (pt_next(p, n, index, p->rank));
        return;
    }
    for (;;) { /* classes: every entry looks up its kept one */
        size_t place = 0;
        int start = 0, c;
        pt_largest(p, index, at);
        for (c = 0; c < p->classes; c++) {
            const size_t size = p->class_size[c];
            size_t inside = 0, all = 1, j;
            for (j = 1; j <= size; j++) {
                /* C(i + size - j, size - j + 1) and C(n + size - 1, size) by exact steps */
                size_t binomial = 1, s;
                for (s = 1; s <= size - j + 1; s++)
                    binomial = binomial * (at[start + (int)j - 1] + s - 1) / s;
                inside += binomial;
                all = all * (n + j - 1) / j;
            }
            place = place * all + inside;
            start += (int)size;
        }
        *dense++ = packed[place];
        for (t = p->rank - 1; t >= 0 && ++index[t] == n; t--)
            index[t] = 0;
        if (t < 0)
            return;
    }
}

/* ---- pt_pack ---- */

/* Takes the kept entries out of a dense row-major array. */
static void pt_pack(const pt_packing *p, size_t n, const double *dense, double *packed)
{
    size_t index[PT_MOST_RANK] = {0};
    do {
        size_t place = 0;
        int t;
        for (t = 0; t < p->rank; t++)
            place = place * n + index[t];
        *packed++ = dense[place];
    } while (pt_next(p, n, index, p->rank));
}

/* ---- PT_THREADS ---- */

#ifdef _OPENMP
#define PT_THREADS 64
#else
#define PT_THREADS 1
#endif

/* ---- pt_most ---- */

static size_t pt_most(size_t left, size_t right)
{
    return left > right ? left : right;
}

/* ---- PT_PARALLEL ---- */

/* Fewer entries than this are not worth starting threads for. */
#define PT_PARALLEL 32768

/* ---- pt_thread ---- */

static int pt_thread(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* ---- pt_team ---- */

#ifdef _OPENMP
static int pt_team(void)
{
    const int most = omp_get_max_threads();
    return most < PT_THREADS ? most : PT_THREADS;
}
#endif

/* ---- pt_is_room ---- */

/* Whether a workspace is aligned for doubles and offsets, and does not overlap an array. */
static int pt_is_room(const double *workspace, size_t size, const double *array, size_t count)
{
    const uintptr_t start = (uintptr_t)workspace, from = (uintptr_t)array;
    if (start % sizeof(double) != 0 || start % sizeof(size_t) != 0)
        return 0;
    return start < from ? (from - start) / sizeof(double) >= size : (start - from) / sizeof(double) >= count;
}

/* ---- pt_doubles ---- */

/* Doubles that hold so many offsets. */
static size_t pt_doubles(size_t offsets)
{
    return pt_times(offsets, (sizeof(size_t) + sizeof(double) - 1) / sizeof(double));
}

/* ---- PT_TABLE ---- */

#define PT_TABLE(name)                                                                                                 \
    do {                                                                                                               \
        void *const start = pt_take(memory, &used, pt_doubles(pt_table_size(&name, n)));                               \
        if (start != NULL)                                                                                             \
            pt_table(&name, n, (size_t *)start, tables->name);                                                         \
    } while (0)

/* ---- pt_square ---- */

/* A symmetric matrix from its packed lower triangle. */
static void pt_square(size_t n, const double *packed, double *dense)
{
    size_t i, j;
    for (i = 0; i < n; i++)
        for (j = 0; j <= i; j++)
            dense[i * n + j] = dense[j * n + i] = *packed++;
}
