//// always
static int pt_is_finite(const double *values, size_t count)
{
    size_t i;
    int found = 1;
    for (i = 0; i < count; i++)
        found &= fabs(values[i]) <= DBL_MAX;
    return found;
}

//// pt_is_within
static int pt_is_within(const double *values, size_t count, double bound)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (!(fabs(values[i]) <= bound))
            return 0;
    return 1;
}

//// always
/* Whether an entry is infinite; NaN is not. */
static int pt_has_overflow(const double *values, size_t count)
{
    size_t i;
    int found = 0;
    for (i = 0; i < count; i++)
        found |= fabs(values[i]) > DBL_MAX;
    return found;
}

static int pt_has_nan(const double *values, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (isnan(values[i]))
            return 1;
    return 0;
}

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

/* What averages that are given are worth, as a routine would say it. */
static int pt_given(double *const *averages, const pt_packing *const *packings, int requests, size_t n)
{
    int t;
    for (t = 0; t < requests; t++)
        if (averages[t] != NULL && pt_has_nan(averages[t], pt_entries(packings[t], n)))
            return PT_DIVERGENT;
    return PT_OK;
}

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

//// pt_agree
/* What two results do not agree about is no number. */
static void pt_agree(double *values, const double *others, size_t count)
{
    size_t i;
    for (i = 0; i < count; i++)
        if (!(values[i] == others[i]))
            values[i] = (double)NAN;
}

//// always
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
    if (p->rank == 2) { /* symmetric: the kept ones are those up to the diagonal, row after row */
        for (index[0] = 0; index[0] < n; index[0]++)
            for (index[1] = 0; index[1] <= index[0]; index[1]++, packed++)
                dense[index[0] * n + index[1]] = dense[index[1] * n + index[0]] = *packed;
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

#ifdef _OPENMP
#define PT_THREADS 64
#else
#define PT_THREADS 1
#endif

//// pt_most
static size_t pt_most(size_t left, size_t right)
{
    return left > right ? left : right;
}

//// PT_PARALLEL
/* Fewer entries than this are not worth starting threads for. */
#define PT_PARALLEL 32768

//// pt_thread
static int pt_thread(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

//// pt_team
#ifdef _OPENMP
static int pt_team(void)
{
    const int most = omp_get_max_threads();
    return most < PT_THREADS ? most : PT_THREADS;
}
#endif

//// always
/* Whether a workspace is aligned for doubles and offsets, and does not overlap an array. */
static int pt_is_room(const double *workspace, size_t size, const double *array, size_t count)
{
    const uintptr_t start = (uintptr_t)workspace, from = (uintptr_t)array;
    if (start % sizeof(double) != 0 || start % sizeof(size_t) != 0)
        return 0;
    return start < from ? (from - start) / sizeof(double) >= size : (start - from) / sizeof(double) >= count;
}

//// PT_TABLE: pt_table
/* Doubles that hold so many offsets. */
static size_t pt_doubles(size_t offsets)
{
    return pt_times(offsets, (sizeof(size_t) + sizeof(double) - 1) / sizeof(double));
}

#define PT_TABLE(name)                                                                                                 \
    do {                                                                                                               \
        void *const start = pt_take(memory, &used, pt_doubles(pt_table_size(&name, n)));                               \
        if (start != NULL)                                                                                             \
            pt_table(&name, n, (size_t *)start, tables->name);                                                         \
    } while (0)

//// pt_square
/* A symmetric matrix from its packed lower triangle. */
static void pt_square(size_t n, const double *packed, double *dense)
{
    size_t i, j;
    for (i = 0; i < n; i++)
        for (j = 0; j <= i; j++)
            dense[i * n + j] = dense[j * n + i] = *packed++;
}
