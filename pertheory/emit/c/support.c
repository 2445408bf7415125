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

/* ---- pt_table ---- */

/* Fills the tables: rows[k - 1][r] is the number of the first beginning of length k + 1 that continues beginning number
 * r of length k. */
static void pt_table(const pt_packing *p, size_t n, size_t *memory, size_t **rows)
{
    int k;
    if (p->classes == p->rank)
        return;
    for (k = 1; k < p->rank; k++) {
        size_t index[PT_MOST_RANK] = {0};
        size_t row = 0, next = 0;
        rows[k - 1] = memory;
        memory += pt_prefixes(p, n, k) + 1;
        do {
            rows[k - 1][row++] = next;
            next += pt_children(p, n, index, k);
        } while (pt_next(p, n, index, k));
        rows[k - 1][row] = next;
    }
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

/* ---- pt_row ---- */

/* Gathers entries of an array along one index.
 *
 * axes tells for each axis of the array which of the indices stands there; number `last` of them runs from 0 to count - 1.
 * Between two values of the other indices the order of all is the same, so that one permutation serves a whole stretch. */
static void pt_row(const pt_packing *p, size_t *const *rows, const double *array, const unsigned char *axes,
                   size_t n, const size_t *index, int last, size_t count, double *out)
{
    size_t from = 0;
    if (p->classes == p->rank) { /* no symmetry: a fixed stride */
        size_t step = 0, stride = 1, d;
        int t;
        for (t = p->rank - 1; t >= 0; t--) {
            if (axes[t] == last)
                step += stride;
            else
                array += index[axes[t]] * stride;
            stride *= n;
        }
        for (d = 0; d < count; d++)
            out[d] = array[d * step];
        return;
    }
    while (from < count) {
        size_t at[PT_MOST_RANK], kept[PT_MOST_RANK], to = count, place, d;
        int t, k;
        for (t = 0; t < p->rank; t++)
            if (axes[t] != last) {
                at[t] = index[axes[t]];
                if (at[t] == from)
                    to = from + 1; /* equal to another index: a stretch of its own */
                else if (at[t] > from && at[t] < to)
                    to = at[t];
            } else {
                at[t] = from;
            }
        pt_largest(p, at, kept);
        if (to == from + 1) {
            out[from] = array[pt_place(p, rows, n, kept)];
            from = to;
            continue;
        }
        /* no other index has the value `from` here: it marks the running index */
        for (k = 0; kept[k] != from; k++) {
        }
        place = k > 0 ? kept[0] : 0;
        for (t = 1; t < k; t++)
            place = rows[t - 1][place] + kept[t];
        if (k == p->rank - 1) {
            const double *row = array + (k > 0 ? rows[k - 1][place] : 0);
            memcpy(out + from, row + from, (to - from) * sizeof *out);
        } else {
            for (d = from; d < to; d++) {
                size_t here = k > 0 ? rows[k - 1][place] + d : d;
                for (t = k + 1; t < p->rank; t++)
                    here = rows[t - 1][here] + (kept[t] == from ? d : kept[t]);
                out[d] = array[here];
            }
        }
        from = to;
    }
}

/* ---- pt_gather ---- */

/* As pt_row, from a table made in advance: for each order of the other indices (a number in base 3: smaller, equal or
 * larger for each pair of them) how many stretches there are, and for each of them where it ends (2 j: before index j,
 * 2 j + 1: behind it, 255: at the end) and which index stands on each axis of the kept entry. */
static void pt_gather(const pt_packing *p, size_t *const *rows, const double *array, const unsigned char *table,
                      const size_t *index, int last, size_t count, double *restrict out)
{
    const int rank = p->rank;
    size_t code = 0, from = 0;
    int i, j, t;
    for (i = 0; i < last; i++)
        for (j = i + 1; j < last; j++)
            code = 3 * code + (index[i] < index[j] ? 0u : index[i] == index[j] ? 1u : 2u);
    table += code * (size_t)(1 + (2 * last + 1) * (1 + rank)) + 1;
    for (; from < count; table += 1 + rank) {
        const unsigned char *axes = table + 1;
        const size_t end = table[0] == 255 ? count : index[table[0] / 2] + (table[0] & 1u);
        const size_t to = end < count ? end : count;
        size_t value[PT_MOST_RANK], step[PT_MOST_RANK], base = 0, d;
        const size_t *first, *second, *third;
        int k = 0;
        if (to <= from)
            continue;
        for (; axes[k] != last; k++)
            base = (k > 0 ? rows[k - 1][base] : 0) + index[axes[k]];
        base = k > 0 ? rows[k - 1][base] : 0;
        if (k == rank - 1) {
            memcpy(out + from, array + base + from, (to - from) * sizeof *out);
            from = to;
            continue;
        }
        for (t = k + 1; t < rank; t++) {
            step[t] = axes[t] == last;
            value[t] = step[t] ? 0 : index[axes[t]];
        }
        first = rows[k] + base;
        if (k == rank - 2) {
            const size_t v = value[k + 1], f = step[k + 1];
            for (d = from; d < to; d++)
                out[d] = array[first[d] + v + f * d];
        } else if (k == rank - 3) {
            const size_t v = value[k + 1], f = step[k + 1], u = value[k + 2], g = step[k + 2];
            second = rows[k + 1];
            for (d = from; d < to; d++)
                out[d] = array[second[first[d] + v + f * d] + u + g * d];
        } else if (k == rank - 4) {
            const size_t v = value[k + 1], f = step[k + 1], u = value[k + 2], g = step[k + 2];
            const size_t w = value[k + 3], h = step[k + 3];
            second = rows[k + 1];
            third = rows[k + 2];
            for (d = from; d < to; d++)
                out[d] = array[third[second[first[d] + v + f * d] + u + g * d] + w + h * d];
        } else {
            for (d = from; d < to; d++) {
                size_t here = base + d;
                for (t = k + 1; t < rank; t++)
                    here = rows[t - 1][here] + value[t] + step[t] * d;
                out[d] = array[here];
            }
        }
        from = to;
    }
}

/* ---- pt_view ---- */

/* A dense copy over `count` indices: out[i_0, .., i_(count-1)] is the entry of the array with these on its axes. */
static void pt_view(const pt_packing *p, size_t *const *rows, const double *array, const unsigned char *axes,
                    const unsigned char *table, int count, size_t n, double *out)
{
    size_t index[PT_MOST_RANK] = {0};
    for (;;) {
        int at = count - 2;
        if (table != NULL)
            pt_gather(p, rows, array, table, index, count - 1, n, out);
        else
            pt_row(p, rows, array, axes, n, index, count - 1, n, out);
        out += n;
        while (at >= 0 && ++index[at] == n)
            index[at--] = 0;
        if (at < 0)
            return;
    }
}

/* ---- pt_is_finite ---- */

static int pt_is_finite(const double *values, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (!(fabs(values[i]) <= DBL_MAX))
            return 0;
    return 1;
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

/* Whether an entry is infinite; averages that diverge make NaN, never infinity. */
static int pt_has_overflow(const double *values, size_t count)
{
    size_t i;
    int found = 0;
    for (i = 0; i < count; i++)
        found |= fabs(values[i]) > DBL_MAX;
    return found;
}

/* ---- pt_worse ---- */

/* Of two warnings the one to report. */
static int pt_worse(int first, int second)
{
    if (first == PT_OK)
        return second;
    if (second == PT_OK)
        return first;
    return first < second ? first : second;
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

/* ---- PT_BLOCK ---- */

/* Loops around the innermost one go in blocks of this many, so that operands that are read across their rows find
 * whole cache lines again. */
#define PT_BLOCK 8

/* ---- pt_least ---- */

static size_t pt_least(size_t left, size_t right)
{
    return left < right ? left : right;
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
