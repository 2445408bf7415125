/* Averages over one and two inputs in closed form: no distinct inputs have to be found, nothing is summed up. */

/* A closed form is taken where rounding costs no more than this fraction of the value. */
#define AVG_LOST 1e-9

/* Products of two variances must neither overflow nor become denormal, and signs of inputs of zeros have no average. */
static int avg_exact_fits(const avg_call *call, const double *variance)
{
    size_t i;
    for (i = 0; i < call->inputs; i++)
        if (variance[i] == 0 ? call->group->kinked : variance[i] < AVG_SMALLEST || variance[i] > AVG_LARGEST) return 0;
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
    const double a = variance[i];
    double bs[AVG_BLOCK], ks[AVG_BLOCK], gaps[AVG_BLOCK];
    size_t p, k;
    memcpy(bs, variance + j, n * sizeof(double));
    memcpy(ks, call->covariance + i * call->inputs + j, n * sizeof(double));
    for (p = n; p % AVG_TOGETHER; p++) bs[p] = a, ks[p] = 0;
    for (p = 0; p < n; p += AVG_TOGETHER)
        for (k = p; k < p + AVG_TOGETHER; k++) {
            const double both = a * bs[k], square = ks[k] * ks[k];
            const double gap = (both - square) + (avg_rest(a, bs[k], both) - avg_rest(ks[k], ks[k], square));
            /* collinear inputs are exactly that, whatever the rounding of their covariance */
            gaps[k] = gap > AVG_COLLINEAR * both ? gap : 0;
        }
    code(n, a, bs, ks, gaps, out, errors);
}

/* Closed forms of a pair (or, i = j, of one input) with their errors, into numbers; what has lost its digits is averaged
 * otherwise. scale: what is known of the scales; noise: null, or what becomes the roots of the errors, a number for each
 * input. */
static void avg_exact_bounded(avg_call *call, int rank, size_t i, size_t j, const double *variance, double *const *out,
                              const double *scale, double *noise)
{
    const avg_group *group = call->group;
    double value[AVG_MOST_REQUESTS], error[AVG_MOST_REQUESTS], worst = 0;
    double *values[AVG_MOST_REQUESTS], *errors[AVG_MOST_REQUESTS];
    int s, count = 0, lost = 0;
    for (s = 0; s < AVG_MOST_REQUESTS; s++) values[s] = &value[s], errors[s] = &error[s];
    for (s = 0; s < group->requests; s++) count += group->request[s].rank == rank;
    avg_exact_block(call, rank == 1 ? group->forms->one : group->forms->two, i, j, 1, variance, values, errors);
    for (s = 0; s < count; s++) {
        const double size = fmax(fabs(value[s]), scale[s]);
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

static int avg_exact_safe(const avg_call *call, double variance)
{
    return variance == 0 || (variance >= call->group->forms->low && variance <= call->group->forms->high);
}

/* The pairs of one input with those before it and itself; noise: by request roots of the errors of all inputs so far. */
static void avg_exact_row(avg_call *call, size_t i, const double *variance, double *const *row, int pairs,
                          double *noise)
{
    const int safe = avg_exact_safe(call, variance[i]);
    double spare[AVG_BLOCK], *out[AVG_MOST_REQUESTS], scale[AVG_MOST_REQUESTS] = {0};
    size_t j, suspected = 0;
    int s;
    for (j = 0; j <= i; j += AVG_BLOCK) {
        for (s = 0; s < AVG_MOST_REQUESTS; s++) out[s] = s >= pairs || row[s] == NULL ? spare : row[s] + j;
        avg_exact_block(call, call->group->forms->pairs, i, j, i + 1 - j < AVG_BLOCK ? i + 1 - j : AVG_BLOCK, variance,
                        out, NULL);
    }
    for (s = 0; s < pairs; s++) {
        out[s] = row[s] == NULL ? NULL : row[s] + i;
        if (safe && out[s] != NULL) noise[(size_t)s * call->inputs + i] = sqrt(AVG_SAFE * fabs(*out[s]));
    }
    if (!safe) avg_exact_bounded(call, 2, i, i, variance, out, scale, noise);
    for (s = 0; s < pairs; s++) {
        const double *const other = noise + (size_t)s * call->inputs, least = AVG_SUSPECTED / AVG_LOST * other[i];
        for (j = 0; j < i && row[s] != NULL; j++) suspected += !(fabs(row[s][j]) >= least * other[j]);
    }
    for (j = 0; j < i && suspected > 0; j++) {
        const double shared = call->covariance[i * call->inputs + j], both = variance[i] * variance[j];
        int small = 0;
        for (s = 0; s < pairs; s++) {
            const double *const own = noise + (size_t)s * call->inputs;
            out[s] = row[s] == NULL ? NULL : row[s] + j;
            if (out[s] == NULL) continue;
            small |= !(fabs(*out[s]) >= AVG_SUSPECTED / AVG_LOST * own[i] * own[j]);
            scale[s] = 0;
            if (safe && avg_exact_safe(call, variance[j]) && both - shared * shared > AVG_APART * both)
                scale[s] = AVG_SHARE / AVG_SAFE * own[i] * own[j];
        }
        if (small) avg_exact_bounded(call, 2, i, j, variance, out, scale, NULL);
    }
}

static void avg_exact(avg_call *call, const double *variance)
{
    const avg_group *group = call->group;
    const double none[AVG_MOST_REQUESTS] = {0};
    double *const noise = call->space, *out[AVG_MOST_REQUESTS] = {NULL}, spare[1];
    double *single[AVG_MOST_REQUESTS] = {NULL}, *pair[AVG_MOST_REQUESTS] = {NULL};
    size_t i;
    int singles = 0, pairs = 0, s, asked = 0;
    for (s = 0; s < group->requests; s++)
        if (group->request[s].rank == 1)
            single[singles++] = call->target[s];
        else
            pair[pairs++] = call->target[s], asked |= call->target[s] != NULL;
    call->space += (size_t)pairs * call->inputs;
    avg_raise(call, AVG_SAFE);
    for (i = 0; i < call->inputs; i++) {
        const int safe = avg_exact_safe(call, variance[i]);
        for (s = 0; s < singles; s++) out[s] = single[s] != NULL ? single[s] + i : safe ? spare : NULL;
        if (singles > 0 && safe)
            avg_exact_block(call, group->forms->singles, i, i, 1, variance, out, NULL);
        else if (singles > 0)
            avg_exact_bounded(call, 1, i, i, variance, out, none, NULL);
        for (s = 0; s < pairs; s++) out[s] = pair[s] == NULL ? NULL : pair[s] + i * (i + 1) / 2;
        if (asked) avg_exact_row(call, i, variance, out, pairs, noise);
    }
    for (s = 0; s < group->requests; s++)
        if (call->target[s] != NULL) avg_settle(call, call->target[s], avg_stored(&group->request[s], call->inputs));
    call->space = noise;
}
