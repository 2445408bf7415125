//// always
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

/* Product of two sizes; SIZE_MAX stands for "too large" and stays. */
static size_t pt_times(size_t left, size_t right)
{
    if (left == 0 || right == 0)
        return 0;
    return left > (size_t)-1 / right ? (size_t)-1 : left * right;
}

static size_t pt_plus(size_t left, size_t right)
{
    return left > (size_t)-1 - right ? (size_t)-1 : left + right;
}

static size_t pt_power(size_t n, int exponent)
{
    size_t result = 1;
    while (exponent-- > 0)
        result = pt_times(result, n);
    return result;
}

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

/* Number of kept entries. */
static size_t pt_entries(const pt_packing *p, size_t n)
{
    return pt_prefixes(p, n, p->rank);
}

/* Doubles of the first `count` tensors of a state. */
static size_t pt_state_size(const pt_packing *const *packings, int count, size_t n)
{
    size_t total = 0;
    int t;
    for (t = 0; t < count; t++)
        total = pt_plus(total, pt_entries(packings[t], n));
    return total;
}

/* The next `size` doubles of the workspace; without a workspace it only counts. */
static double *pt_take(double *memory, size_t *used, size_t size)
{
    double *start = memory == NULL ? NULL : memory + *used;
    *used = pt_plus(*used, size);
    return start;
}

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

//// pt_table
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

//// always
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

//// pt_is_kept
/* Whether an index tuple is one that is stored. */
static int pt_is_kept(const pt_packing *p, const size_t *index)
{
    size_t kept[PT_MOST_RANK];
    pt_largest(p, index, kept);
    return memcmp(index, kept, (size_t)p->rank * sizeof *kept) == 0;
}

//// pt_place
/* The place of a kept index tuple. */
static size_t pt_place(const pt_packing *p, size_t *const *rows, size_t n, const size_t *kept)
{
    size_t place = kept[0];
    int k;
    for (k = 1; k < p->rank; k++)
        place = (p->classes == p->rank ? place * n : rows[k - 1][place]) + kept[k];
    return place;
}
