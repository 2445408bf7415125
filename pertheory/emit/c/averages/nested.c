/* Averages over a few inputs by nested trapezoids in standard normal variables, z = L xi, for any rank. */

/* Beyond this many points panels are better where functions change fast in places that are known; of four nested
 * directions there are no panels. */
#define AVG_MOST_NESTED(rank) ((rank) < 4 && AVG_PLACES > 0 ? 2e6 : 5e7)

/* Second derivatives of products of a few powers, and half of them: what a variance that is left out does. */
#define AVG_BENT 66

/* Factor with pivoting, K = L L^T, leaving out null directions; returns how many there are. pivot[j]: the row that
 * column j was made from, which has zeros after it. lost: what this does to averages of functions that change over
 * `width`: the variances that were left out, felt where the functions change. */
static int avg_factor(int size, const double *covariance, double width, double root[4][4], int *pivot, double *lost)
{
    long double left[4][4], own[4]; /* what is left of nearly dependent inputs cancels */
    int i, j, k, rank;
    for (i = 0; i < size; i++)
        for (j = 0; j < size; j++) left[i][j] = covariance[i * size + j], root[i][j] = 0;
    for (rank = 0; rank < size; rank++) {
        int best = -1;
        long double most = 0;
        for (i = 0; i < size; i++) {
            int used = 0;
            for (j = 0; j < rank; j++) used |= pivot[j] == i;
            if (!used && left[i][i] > AVG_NULL * covariance[i * size + i] && left[i][i] > most)
                most = left[i][i], best = i;
        }
        if (best < 0) break;
        pivot[rank] = best;
        for (i = 0; i < size; i++) {
            int used = 0;
            for (j = 0; j < rank; j++) used |= pivot[j] == i;
            own[i] = used ? 0 : left[i][best] / sqrtl(most);
            root[i][rank] = fabsl(own[i]) <= 1e-15 * sqrt(covariance[i * size + i]) ? 0 : (double)own[i];
        }
        for (i = 0; i < size; i++)
            for (k = 0; k < size; k++) left[i][k] -= own[i] * own[k];
    }
    for (*lost = 0, i = 0; i < size; i++) {
        int used = 0;
        for (j = 0; j < rank; j++) used |= pivot[j] == i;
        if (!used) {
            const double sigma = sqrt(covariance[i * size + i]);
            *lost += AVG_BENT * fabs((double)left[i][i]) / (sigma * fmin(width, sigma));
        }
    }
    return rank;
}

typedef struct {
    int rank, size;
    double root[4][4], step[4];
    long half[4];
    int level[4]; /* of an input: directions that it needs */
} avg_nest;

/* One nested sum; sums become the fine one, the one with every second node, that of absolute values, and what of this
 * stands at the ends, by leaf. */
static void avg_nest_sum(avg_call *call, const avg_set *set, const avg_nest *nest, double *sums)
{
    const int rank = nest->rank, size = nest->size, leaves = set->leaves, columns = set->columns;
    double *x = call->space, *lines = x + AVG_BLOCK, *at = lines + (size_t)AVG_LINES * AVG_BLOCK;
    double *inner = at + (size_t)4 * AVG_COLUMNS * AVG_BLOCK, *weight = inner + 4 * (AVG_COLUMNS + AVG_LEAVES);
    double *outer = weight + 2 * AVG_BLOCK; /* columns of the inputs that do not need the last direction */
    double node[4] = {0, 0, 0, 0};
    long place[4];
    int i, j, l, c, changed = 0, last[4], lasts = 0;
    for (i = 0; i < size; i++)
        if (nest->level[i] == rank) last[lasts++] = i;
    for (j = 0; j < rank - 1; j++) place[j] = -nest->half[j];
    memset(sums, 0, 4 * (size_t)leaves * sizeof(double));
    for (;;) {
        double fine = 1, rough = 1;
        int ends = 0;
        const int alone = lasts == 1, rows = alone ? columns : leaves;
        long k;
        for (j = 0; j < rank - 1; j++) {
            const double density = nest->step[j] * avg_density((double)place[j] * nest->step[j]);
            node[j] = (double)place[j] * nest->step[j];
            fine *= density;
            rough *= place[j] % 2 ? 0 : 2 * density;
            ends |= place[j] == -nest->half[j] || place[j] == nest->half[j];
        }
        for (i = 0; i < size; i++)
            if (nest->level[i] < rank && nest->level[i] > changed) {
                x[0] = 0;
                for (j = 0; j < nest->level[i]; j++) x[0] += nest->root[i][j] * node[j];
                avg_columns(set, 1, x, lines, at);
                for (c = 0; c < columns; c++) outer[i * AVG_COLUMNS + c] = at[(size_t)c * AVG_BLOCK];
            }
        memset(inner, 0, 4 * (size_t)rows * sizeof(double));
        for (k = -nest->half[rank - 1]; k <= nest->half[rank - 1];) {
            const int opens = k == -nest->half[rank - 1];
            size_t n = 0, p;
            double z[AVG_BLOCK];
            for (; n < AVG_BLOCK && k <= nest->half[rank - 1]; n++, k++) {
                z[n] = (double)k * nest->step[rank - 1];
                weight[n] = nest->step[rank - 1] * avg_density(z[n]);
                weight[AVG_BLOCK + n] = k % 2 ? 0 : 2 * weight[n];
            }
            for (i = 0; i < lasts; i++) {
                double mean = 0;
                for (j = 0; j < rank - 1; j++) mean += nest->root[last[i]][j] * node[j];
                for (p = 0; p < n; p++) x[p] = mean + nest->root[last[i]][rank - 1] * z[p];
                avg_columns(set, n, x, lines, at + (size_t)i * AVG_COLUMNS * AVG_BLOCK);
            }
            for (l = 0; l < rows; l++) {
                double s = 0, t = 0, u = 0;
                for (p = 0; p < n; p++) {
                    double value;
                    if (alone)
                        value = at[(size_t)l * AVG_BLOCK + p];
                    else
                        for (value = 1, i = 0; i < lasts; i++)
                            value *= at[((size_t)i * AVG_COLUMNS + (size_t)set->leaf[l][last[i]]) * AVG_BLOCK + p];
                    s += weight[p] * value;
                    t += weight[AVG_BLOCK + p] * value;
                    u += fabs(weight[p] * value);
                    if ((opens && p == 0) || (p == n - 1 && k > nest->half[rank - 1]))
                        inner[4 * l + 3] += fabs(weight[p] * value);
                }
                inner[4 * l] += s, inner[4 * l + 1] += t, inner[4 * l + 2] += u;
            }
        }
        for (l = 0; l < leaves; l++) {
            const double *sum = inner + 4 * (alone ? set->leaf[l][last[0]] : l);
            double head = 1;
            for (i = 0; i < size; i++)
                if (nest->level[i] < rank) head *= outer[i * AVG_COLUMNS + set->leaf[l][i]];
            sums[4 * l] += fine * head * sum[0];
            sums[4 * l + 1] += rough * head * sum[1];
            sums[4 * l + 2] += fine * fabs(head) * sum[2];
            sums[4 * l + 3] += fine * fabs(head) * sum[ends ? 2 : 3];
        }
        for (changed = rank - 2; changed >= 0; changed--) {
            if (++place[changed] <= nest->half[changed]) break;
            place[changed] = -nest->half[changed];
        }
        if (changed < 0) return;
    }
}

/* Nodes on either side of zero, an even number; more than any sum has where steps are too small to count them. */
static long avg_half(double reach, double step)
{
    const double half = ceil(0.5 * reach / step);
    return half < 1e8 ? 2 * (long)half : 200000000L;
}

/* Averages of the leaves of a set over inputs of positive variances. */
static void avg_nested(avg_call *call, const avg_set *set, const double *covariance, double *values)
{
    double *sums = call->space, refine = 0.8, lost;
    avg_nest nest;
    int pivot[4], i, j, l, attempt;
    nest.size = set->size;
    nest.rank = avg_factor(set->size, covariance, call->strip, nest.root, pivot, &lost);
    for (i = 0; i < nest.size; i++) {
        nest.level[i] = 1;
        for (j = 0; j < nest.rank; j++)
            if (nest.root[i][j] != 0) nest.level[i] = j + 1;
    }
    call->space += 4 * AVG_LEAVES;
    for (attempt = 0;; attempt++) {
        double worst = 0, outside = 0, points = 1, beyond = 1;
        for (j = 0; j < nest.rank; j++) {
            nest.step[j] = 2 * AVG_PI / avg_frequency(call, nest.root[pivot[j]][j]) / refine;
            nest.half[j] = avg_half(call->reach, nest.step[j]);
            points *= 2.0 * (double)nest.half[j] + 1;
            beyond = fmax(beyond, 1 / (call->reach * nest.step[j])); /* what is left out, of what stands at the ends */
        }
        if (!(points <= AVG_MOST_NESTED(nest.rank))) {
            avg_conditions c;
            avg_eliminate(set->size, covariance, &c);
            avg_panelled(call, set, &c, values);
            break;
        }
        avg_nest_sum(call, set, &nest, sums);
        for (l = 0; l < set->leaves; l++) {
            const double size = sums[4 * l + 2];
            values[l] = sums[4 * l];
            if (!(size > 0)) continue;
            worst = fmax(worst, fabs(sums[4 * l] - sums[4 * l + 1]) / size);
            outside = fmax(outside, beyond * sums[4 * l + 3] / size);
        }
        if (outside > 10 * AVG_OUTSIDE && call->reach < 37) { /* the functions grow: there is weight farther out */
            call->reach += 1.5, attempt--;
            continue;
        }
        worst = pow(worst, AVG_TWICE);
        if (worst <= 1e-12 || attempt == 4) {
            avg_raise(call, worst + outside + AVG_NESTED_ROUNDING(set->size) + lost);
            break;
        }
        refine *= 1.4;
    }
    call->space = sums;
}
