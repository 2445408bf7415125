//// PT_BLOCK
/* The two loops around the innermost one go in blocks of this many, so that operands that are read across their rows are
 * copied in whole cache lines. */
#define PT_BLOCK 8

//// PT_OUTER
/* As PT_BLOCK for the loop around those two; smaller, so that copies of all operands stay in the cache. */
#define PT_OUTER 4

//// pt_least
static size_t pt_least(size_t left, size_t right)
{
    return left < right ? left : right;
}

//// PT_PREFETCH
/* Asks for a cache line that is needed soon. */
#if defined(__GNUC__)
#define PT_PREFETCH(where) __builtin_prefetch(where)
#else
#define PT_PREFETCH(where) ((void)0)
#endif

//// pt_copy: PT_PREFETCH
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

//// pt_reach
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

//// pt_view: PT_BLOCK pt_least pt_copy
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

//// pt_tile: PT_BLOCK PT_OUTER pt_least
/* The length of rows of copies: whole cache lines, an odd number of them, so that a column does not fall into one set of
 * the cache. */
static size_t pt_padded(size_t n)
{
    return ((n + 7) / 8 | 1) * 8;
}

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
