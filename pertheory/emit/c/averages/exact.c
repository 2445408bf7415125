/* Averages over one and two inputs in closed form: no distinct inputs have to be found, nothing is summed up. */

/* A closed form is taken where rounding costs no more than this fraction of the value. */
#define AVG_LOST 1e-10

/* Products of two variances must neither overflow nor become denormal, and signs of inputs of zeros have no average. */
static int avg_exact_fits(const avg_call *call, const double *variance)
{
    size_t i;
    for (i = 0; i < call->inputs; i++)
        if (variance[i] == 0 ? call->group->kinked : variance[i] < 1e-140 || variance[i] > 1e140) return 0;
    return 1;
}

/* What is left of a b, less what is left of k^2: the determinant is (a b - k^2) + this (Dekker, Numer. Math. 18 (1971)
 * 224). */
static double avg_rest(double a, double b, double product)
{
    const double c = a * 134217729, d = b * 134217729, x = c - (c - a), y = d - (d - b);
    return ((x * y - product) + x * (b - y) + (a - x) * y) + (a - x) * (b - y);
}

static void avg_sets(avg_call *call, const avg_set *set, const double *live, size_t count, size_t zero);

/* Closed forms of one input with n others, from number j on, into the arrays of the requests of a rank. */
static void avg_exact_block(avg_call *call, avg_exact_fn code, int rank, size_t i, size_t j, size_t n,
                            const double *variance)
{
    const avg_group *group = call->group;
    const double *ks = call->covariance + i * call->inputs + j;
    double gaps[AVG_BLOCK] = {0}, spare[AVG_BLOCK], error[AVG_MOST_REQUESTS][AVG_BLOCK];
    double *out[AVG_MOST_REQUESTS], *errors[AVG_MOST_REQUESTS], worst = 0;
    size_t p;
    int s, count = 0, asked = 0;
    for (s = 0; s < group->requests; s++) {
        if (group->request[s].rank != rank) continue;
        asked |= call->target[s] != NULL;
        errors[count] = error[count];
        out[count++] = call->target[s] == NULL ? spare : call->target[s] + (rank == 1 ? i : i * (i + 1) / 2 + j);
    }
    if (!asked) return;
    for (p = 0; p < n; p++) {
        const double both = variance[i] * variance[j + p], square = ks[p] * ks[p];
        const double rest = avg_rest(variance[i], variance[j + p], both) - avg_rest(ks[p], ks[p], square);
        const double gap = (both - square) + rest;
        /* collinear inputs are exactly that, whatever the rounding of their covariance */
        gaps[p] = gap > AVG_COLLINEAR * both ? gap : 0;
    }
    code(n, variance[i], variance + j, ks, gaps, out, errors);
    for (p = 0; p < n; p++) {
        const int alone = j + p == i;
        int lost = 0;
        for (s = 0; s < count; s++) {
            const double size = fabs(out[s][p]);
            lost |= out[s] != spare && error[s][p] > AVG_LOST * size;
            if (out[s] != spare && error[s][p] <= AVG_LOST * size && size > 0) worst = fmax(worst, error[s][p] / size);
        }
        if (lost && variance[i] > 0 && variance[j + p] > 0) {
            double live[2];
            live[0] = (double)(j + p), live[1] = (double)i;
            avg_sets(call, alone ? &group->full[1] : &group->sets[2], live, alone ? 1 : 2, call->inputs);
        }
    }
    for (s = 0; s < count; s++) avg_settle(call, out[s], n);
    avg_raise(call, worst);
}

static void avg_exact(avg_call *call, const double *variance)
{
    size_t i, j;
    for (i = 0; i < call->inputs; i++) {
        avg_exact_block(call, call->group->singles, 1, i, i, 1, variance);
        for (j = 0; j <= i; j += AVG_BLOCK)
            avg_exact_block(call, call->group->pairs, 2, i, j, i + 1 - j < AVG_BLOCK ? i + 1 - j : AVG_BLOCK, variance);
    }
}
