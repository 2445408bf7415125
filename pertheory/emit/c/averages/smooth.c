/* Averages of analytic functions by trapezoid rules, whose errors fall exponentially with the step. */

/* Frequency 2 pi / step that a function of sigma * xi needs. The functions behave as if they had poles at a distance
 * `strip` from the real axis: the transform of such a function times a normal density falls below 1e-14 there. */
static double avg_frequency(const avg_call *call, double sigma)
{
    const double u = call->strip / sigma;
    return u > 8.0 ? call->slowest : fmax(33.0 / u + 0.5 * u, call->slowest);
}

/* What may stand at the ends of a sum, relative to the scale. */
#define AVG_OUTSIDE 1e-16
/* The estimated error that is small enough. */
#define AVG_REACHED 5e-12
/* An error that is predicted may be larger by this factor: where poles are, functions also grow or have branches. */
#define AVG_SURE 8
/* Most points; with more than a few thousand, panels do better what changes fast in places that are known, and nowhere
 * else. */
#define AVG_MOST_POINTS 200000.0
#define AVG_MANY_POINTS (AVG_PLACES > 0 && !AVG_REPEATS ? 3000.0 : AVG_MOST_POINTS)

#if AVG_MOST > 1
/* Whether products at an input are so small that squares of their squares underflow, which several inputs need. Not so
 * where spreads are above a hundredth, whatever the function. */
#define AVG_FAINT 1e-70
static int avg_faint(const avg_call *call, const avg_set *set, double variance)
{
    double x[4], *lines = call->space, *columns = lines + (size_t)AVG_LINES * AVG_BLOCK;
    int c, k, faint = 0;
    for (k = 0; k < 4; k++) x[k] = ldexp(sqrt(variance), -3 * k);
    if (x[0] > 0.01) return 0;
    avg_columns(set, 4, x, lines, columns);
    for (c = 0; c < set->columns; c++) {
        const double *own = columns + (size_t)c * AVG_BLOCK;
        double most = 0;
        for (k = 0; k < 4; k++) most = fmax(most, fabs(own[k]));
        faint |= most > 0 && most < AVG_FAINT;
    }
    return faint;
}
#endif

/* All averages at one input. */
static void avg_single(avg_call *call, const avg_set *set, double sigma, double *values)
{
    double *x = call->space, *weight = x + AVG_BLOCK, *rough = weight + AVG_BLOCK, *lines = rough + AVG_BLOCK;
    double *columns = lines + (size_t)AVG_LINES * AVG_BLOCK, *sums = columns + (size_t)AVG_COLUMNS * AVG_BLOCK;
    double *rougher = sums + 5 * (size_t)set->leaves;
    const int leaves = set->leaves;
    int attempt;
    for (attempt = 0;; attempt++) {
        const double step = 2 * AVG_PI / avg_frequency(call, sigma);
        const double half = 4 * ceil(0.25 * call->reach / step), last = half * step;
        double worst = 0, outside = 0, k = 0, twice, four;
        int l, endless = 0;
        if (2 * half > AVG_MANY_POINTS) {
            const double variance = sigma * sigma;
            avg_conditions c;
            avg_eliminate(1, &variance, &c);
            avg_panelled(call, set, &c, values);
            return;
        }
        memset(sums, 0, 5 * (size_t)leaves * sizeof(double));
        while (k <= half) {
            size_t n = 0, p;
            for (; n < AVG_BLOCK && k <= half; k += 1) {
                const double node = k * step, density = step * avg_density(node);
                int side;
                if (n + 2 > AVG_BLOCK) break;
                for (side = 0; side < (k > 0 ? 2 : 1); side++, n++) {
                    x[n] = side ? -sigma * node : sigma * node;
                    weight[n] = density;
                    rough[n] = fmod(k, 2) != 0 ? 0 : 2 * density;
                    rougher[n] = fmod(k, 4) != 0 ? 0 : 4 * density;
                }
            }
            avg_columns(set, n, x, lines, columns);
            for (l = 0; l < leaves; l++) {
                const double *column = columns + (size_t)set->leaf[l][0] * AVG_BLOCK;
                double fine = 0, coarse = 0, coarsest = 0, size = 0;
                for (p = 0; p < n; p++) {
                    fine += weight[p] * column[p];
                    coarse += rough[p] * column[p];
                    coarsest += rougher[p] * column[p];
                    size += fabs(weight[p] * column[p]);
                }
                sums[5 * l] += fine, sums[5 * l + 1] += coarse, sums[5 * l + 2] += size, sums[5 * l + 4] += coarsest;
                if (k > half)
                    sums[5 * l + 3] = fmax(fabs(weight[n - 1] * column[n - 1]), fabs(weight[n - 2] * column[n - 2]));
            }
        }
        for (l = 0; l < leaves; l++) {
            const double size = sums[5 * l + 2];
            values[l] = sums[5 * l];
            if (!(size <= DBL_MAX)) endless = 1;
            if (!(size > 0)) continue;
            twice = fabs(sums[5 * l] - sums[5 * l + 1]) / size, four = fabs(sums[5 * l] - sums[5 * l + 4]) / size;
            /* The logarithm of an error that poles cause is c - a / step, so that those of two and four steps tell that
             * of one. Poles that are farther away than the saddle point of the normal density do not matter, and the
             * logarithm is -a / step^2. */
            four = fmin(1, twice / (four + DBL_MIN));
            worst = fmax(worst, twice * (call->strip * step > 2 * AVG_PI * sigma ? fmin(four * four, twice * twice)
                                                                                  : four * four));
            outside = fmax(outside, sums[5 * l + 3] / size);
        }
        if (endless || outside > AVG_OUTSIDE) {
            /* the functions grow: their averages get weight from far out, or do not exist */
            if (call->reach >= 37 || endless) {
                for (l = 0; l < leaves; l++)
                    if (!(sums[5 * l + 2] <= DBL_MAX) || sums[5 * l + 3] > 1e-16 * sums[5 * l + 2]) values[l] = (double)NAN;
                call->status = PT_DIVERGENT;
                return;
            }
            call->reach += 1.5;
            continue;
        }
        if (worst < 1e-22 && call->strip < 1e3) call->strip *= 1.2;
        if (worst <= AVG_REACHED || attempt > 24 || 2 * last / step > AVG_MOST_POINTS) {
            avg_raise(call, AVG_SURE * worst + AVG_ROUNDING);
            return;
        }
        if (avg_frequency(call, sigma) > call->slowest)
            call->strip *= fmax(0.6, 0.97 * log(worst) / log(AVG_REACHED));
        else
            call->slowest *= 1.1;
    }
}
