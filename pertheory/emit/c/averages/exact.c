/* Averages over one and two inputs in closed form: no distinct inputs have to be found, nothing is summed up. */

/* Products of two variances must neither overflow nor become denormal, and signs of inputs of zeros have no average. */
static int avg_exact_fits(const avg_call *call, const double *variance)
{
    size_t i;
    for (i = 0; i < call->inputs; i++)
        if (variance[i] == 0 ? call->group->kinked : variance[i] < 1e-140 || variance[i] > 1e140) return 0;
    return 1;
}

static void avg_exact(avg_call *call, const double *variance)
{
    const avg_group *group = call->group;
    double gaps[AVG_BLOCK], spare[AVG_BLOCK], *single[AVG_MOST_REQUESTS], *pair[AVG_MOST_REQUESTS];
    size_t i, j, p;
    int singles = 0, pairs = 0, s, asked = 0;
    for (s = 0; s < group->requests; s++) {
        double *target = call->target[s];
        if (group->request[s].rank == 1)
            single[singles++] = target;
        else
            pair[pairs++] = target, asked |= target != NULL;
    }
    for (i = 0; i < call->inputs && singles > 0; i++) {
        const double none = 0;
        double *out[AVG_MOST_REQUESTS];
        for (s = 0; s < singles; s++) out[s] = single[s] == NULL ? spare : single[s] + i;
        group->singles(1, variance[i], &variance[i], &variance[i], &none, out);
        for (s = 0; s < singles; s++) avg_settle(call, out[s], 1);
    }
    for (i = 0; i < call->inputs && asked; i++)
        for (j = 0; j <= i; j += AVG_BLOCK) {
            const size_t n = i + 1 - j < AVG_BLOCK ? i + 1 - j : AVG_BLOCK;
            const double a = variance[i], *bs = variance + j, *ks = call->covariance + i * call->inputs + j;
            double *out[AVG_MOST_REQUESTS];
            for (p = 0; p < n; p++) {
                /* collinear inputs are exactly that, whatever the rounding of their covariance */
                const long double both = (long double)a * bs[p], gap = both - (long double)ks[p] * ks[p];
                gaps[p] = gap > 3e-15 * both ? (double)gap : 0;
            }
            for (s = 0; s < pairs; s++) out[s] = pair[s] == NULL ? spare : pair[s] + i * (i + 1) / 2 + j;
            group->pairs(n, a, bs, ks, gaps, out);
            for (s = 0; s < pairs; s++) avg_settle(call, out[s], n);
        }
    avg_raise(call, 1e-15);
}
