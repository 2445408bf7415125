/* Averages over one and two inputs in closed form: no distinct inputs have to be found, nothing is summed up. */

/* A closed form is taken where rounding costs no more than this fraction of the value. */
#define AVG_LOST 1e-9

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

/* The closed forms of one input with n others, from number j on, with or without errors, into arrays. */
static void avg_exact_block(const avg_call *call, avg_exact_fn code, size_t i, size_t j, size_t n,
                            const double *variance, double *const *out, double *const *errors)
{
    const double *ks = call->covariance + i * call->inputs + j;
    double gaps[AVG_BLOCK];
    size_t p;
    gaps[0] = 0; /* so that analysers see it */
    for (p = 0; p < n; p++) {
        const double both = variance[i] * variance[j + p], square = ks[p] * ks[p];
        const double rest = avg_rest(variance[i], variance[j + p], both) - avg_rest(ks[p], ks[p], square);
        const double gap = (both - square) + rest;
        /* collinear inputs are exactly that, whatever the rounding of their covariance */
        gaps[p] = gap > AVG_COLLINEAR * both ? gap : 0;
    }
    code(n, variance[i], variance + j, ks, gaps, out, errors);
}

/* Closed forms of a pair (or, i = j, of one input) with their errors, into numbers; what has lost its digits is averaged
 * otherwise. scale: null, or what is known of the scales; noise: null, or what becomes the roots of the errors, a number
 * for each input. */
static void avg_exact_bounded(avg_call *call, avg_exact_fn code, int rank, size_t i, size_t j, const double *variance,
                              double *const *out, const double *scale, double *noise)
{
    const avg_group *group = call->group;
    double value[AVG_MOST_REQUESTS], error[AVG_MOST_REQUESTS], worst = 0;
    double *values[AVG_MOST_REQUESTS], *errors[AVG_MOST_REQUESTS];
    int s, count = 0, lost = 0;
    for (s = 0; s < AVG_MOST_REQUESTS; s++) values[s] = &value[s], errors[s] = &error[s];
    for (s = 0; s < group->requests; s++) count += group->request[s].rank == rank;
    avg_exact_block(call, code, i, j, 1, variance, values, errors);
    for (s = 0; s < count; s++) {
        const double size = fmax(fabs(value[s]), scale == NULL ? 0 : scale[s]);
        if (noise != NULL) noise[(size_t)s * call->inputs + i] = sqrt(error[s]);
        if (out[s] == NULL) continue;
        *out[s] = value[s];
        if (error[s] > AVG_LOST * size)
            lost = 1;
        else if (size > 0)
            worst = fmax(worst, error[s] / size);
    }
    avg_raise(call, worst);
    if (lost && variance[i] > 0 && variance[j] > 0) {
        double live[2];
        live[0] = (double)j, live[1] = (double)i;
        avg_sets(call, i == j ? &group->full[1] : &group->sets[2], live, i == j ? 1 : 2, call->inputs);
    }
}

/* Errors of pairs are looked at only where values are small against the errors of both inputs by themselves. */
#define AVG_SUSPECTED 8.0
/* Of two inputs that are not almost parallel or opposite (1 - rho^2 above this) the scale is more than this fraction of
 * the root of the averages at both. */
#define AVG_APART 0.2
#define AVG_SHARE 1e-3

/* The pairs of one input with n others, from number j on; out: where the requests go. */
static void avg_exact_pairs(avg_call *call, size_t i, size_t j, size_t n, const double *variance, double *const *pair,
                            int pairs, const double *noise)
{
    double spare[AVG_BLOCK], *out[AVG_MOST_REQUESTS], *own[AVG_MOST_REQUESTS] = {NULL}, scale[AVG_MOST_REQUESTS] = {0};
    size_t p, suspected = 0;
    int s;
    for (s = 0; s < AVG_MOST_REQUESTS; s++)
        out[s] = s >= pairs || pair[s] == NULL ? spare : pair[s] + i * (i + 1) / 2 + j;
    avg_exact_block(call, call->group->pairs, i, j, n, variance, out, NULL);
    for (s = 0; s < pairs; s++) {
        const double *const value = out[s], *const other = noise + (size_t)s * call->inputs + j;
        const double least = AVG_SUSPECTED / AVG_LOST * noise[(size_t)s * call->inputs + i];
        for (p = 0; p < n && pair[s] != NULL; p++) suspected += !(fabs(value[p]) >= least * other[p]);
    }
    for (p = 0; p < n && suspected > 0; p++) {
        const size_t k = j + p;
        const double shared = call->covariance[i * call->inputs + k], both = variance[i] * variance[k];
        int small = 0;
        for (s = 0; s < pairs; s++) {
            const double *noises = noise + (size_t)s * call->inputs;
            own[s] = pair[s] == NULL ? NULL : out[s] + p, scale[s] = 0;
            if (own[s] == NULL) continue;
            small |= !(fabs(*own[s]) >= AVG_SUSPECTED / AVG_LOST * noises[i] * noises[k]);
            if (both - shared * shared > AVG_APART * both)
                scale[s] = AVG_SHARE * sqrt(fabs(pair[s][i * (i + 3) / 2] * pair[s][k * (k + 3) / 2]));
        }
        if (small) avg_exact_bounded(call, call->group->bounded, 2, i, k, variance, own, scale, NULL);
    }
}

static void avg_exact(avg_call *call, const double *variance)
{
    const avg_group *group = call->group;
    double *const noise = call->space, *out[AVG_MOST_REQUESTS] = {NULL};
    double *single[AVG_MOST_REQUESTS] = {NULL}, *pair[AVG_MOST_REQUESTS] = {NULL};
    size_t i, j;
    int singles = 0, pairs = 0, s, asked = 0;
    for (s = 0; s < group->requests; s++)
        if (group->request[s].rank == 1)
            single[singles++] = call->target[s];
        else
            pair[pairs++] = call->target[s], asked |= call->target[s] != NULL;
    call->space += (size_t)pairs * call->inputs;
    for (i = 0; i < call->inputs; i++) {
        for (s = 0; s < singles; s++) out[s] = single[s] == NULL ? NULL : single[s] + i;
        if (singles > 0) avg_exact_bounded(call, group->singles, 1, i, i, variance, out, NULL, NULL);
        for (s = 0; s < pairs; s++) out[s] = pair[s] == NULL ? NULL : pair[s] + i * (i + 3) / 2;
        if (asked) avg_exact_bounded(call, group->bounded, 2, i, i, variance, out, NULL, noise);
        for (j = 0; j < i && asked; j += AVG_BLOCK)
            avg_exact_pairs(call, i, j, i - j < AVG_BLOCK ? i - j : AVG_BLOCK, variance, pair, pairs, noise);
    }
    for (s = 0; s < group->requests; s++)
        if (call->target[s] != NULL) avg_settle(call, call->target[s], avg_stored(&group->request[s], call->inputs));
    call->space = noise;
}
