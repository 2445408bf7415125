/* Kinks: nodes that combine averages with strengths that depend on the covariance. */

/* Covariances of the inputs, given that those of a mask are fixed. Eliminations of nearly collinear inputs cancel,
 * hence long double. What is left of an input that others determine is set to zero; how it would be correlated is then
 * told by `slight`, what remains if every input has a little noise of its own, to first order in its variance. */
typedef struct {
    int size;
    double loose; /* relative rounding of what is given */
    long double given[16][4][4], slight[16][4][4];
} avg_conditions;

/* a b - x^2, correctly rounded but for a unit or two. */
static long double avg_determinant(double a, double b, double x)
{
    double both = a * b, square = x * x;
    int e = 0, f = 0;
    if (!(both > 1e-250 && both < 1e250)) { /* powers of two leave the digits alone */
        a = frexp(a, &e), b = frexp(b, &f);
        if ((e + f) % 2 != 0) b *= 2, f--;
        x = ldexp(x, -(e + f) / 2);
        both = a * b, square = x * x;
    }
    return ldexpl((both - square) + (fma(a, b, -both) - fma(x, x, -square)), e + f);
}

static void avg_eliminate(int size, const double *covariance, avg_conditions *c)
{
    int mask, i, j, b;
    c->size = size, c->loose = 3e-16;
    if (size == 2 && covariance[0] > 0 && covariance[3] > 0) { /* the same, written out: there are many pairs */
        const long double a = covariance[0], d = covariance[3], x = covariance[1];
        const long double gap = avg_determinant(covariance[0], covariance[3], covariance[1]);
        memset(c->given[1], 0, 3 * sizeof c->given[1]);
        memset(c->slight[1], 0, 3 * sizeof c->slight[1]);
        c->given[0][0][0] = a, c->given[0][1][1] = d, c->given[0][0][1] = c->given[0][1][0] = x;
        c->slight[0][0][0] = a, c->slight[0][1][1] = d, c->slight[0][0][1] = c->slight[0][1][0] = 0;
        c->given[1][1][1] = gap > AVG_COLLINEAR * a * d ? gap / a : 0;
        c->given[2][0][0] = gap > AVG_COLLINEAR * a * d ? gap / d : 0;
        c->slight[1][1][1] = d + x * x / a, c->slight[2][0][0] = a + x * x / d;
        return;
    }
    for (i = 0; i < size; i++)
        for (j = 0; j < size; j++) {
            c->given[0][i][j] = covariance[i * size + j];
            c->slight[0][i][j] = i == j ? covariance[i * size + i] : 0;
        }
    for (mask = 1; mask < 1 << size; mask++) {
        const long double(*given)[4], (*slight)[4];
        long double v, w;
        for (b = size - 1; !(mask >> b & 1); b--) {}
        given = (const long double(*)[4])c->given[mask ^ 1 << b];
        slight = (const long double(*)[4])c->slight[mask ^ 1 << b];
        v = given[b][b], w = slight[b][b];
        for (i = 0; i < size; i++)
            for (j = 0; j <= i; j++) {
                long double left = given[i][j], less = slight[i][j];
                if (mask >> i & 1 || mask >> j & 1)
                    left = less = 0;
                else if (v > 0) {
                    const long double x = given[i][b] / v, y = given[j][b] / v;
                    left -= x * given[j][b];
                    less += x * y * w - x * slight[j][b] - y * slight[i][b];
                } else if (w > 0)
                    less -= slight[i][b] * slight[j][b] / w;
                c->given[mask][i][j] = c->given[mask][j][i] = left;
                c->slight[mask][i][j] = c->slight[mask][j][i] = less;
            }
        for (i = 0; i < size; i++)
            if (c->given[mask][i][i] > AVG_COLLINEAR * c->given[0][i][i])
                c->loose = fmax(c->loose, 2 * (double)LDBL_EPSILON * (double)(c->given[0][i][i] / c->given[mask][i][i]));
            else
                for (j = 0; j < size; j++) c->given[mask][i][j] = c->given[mask][j][i] = 0;
    }
}

/* Fix the inputs of a mask at places: 1 with the density there, its relative error and the means of all inputs; 0 if
 * they cannot be there together; -1 if they always are, because some determine others. */
static int avg_condition(const avg_conditions *c, int mask, const double *place, double *mean, double *density,
                         double *error)
{
    int fixed = 0, b, i;
    *density = 1, *error = c->loose;
    for (i = 0; i < c->size; i++) mean[i] = 0;
    for (b = 0; b < c->size; b++) {
        const long double(*given)[4] = (const long double(*)[4])c->given[fixed];
        double away = place[b] - mean[b], spread;
        if (!(mask >> b & 1)) continue;
        if (!(given[b][b] > 0)) return fabs(away) > 1e-12 * fmax(fabs(mean[b]), fabs(place[b])) ? 0 : -1;
        spread = sqrt((double)given[b][b]);
        *density *= exp(-0.5 * (away / spread) * (away / spread)) / (sqrt(2 * AVG_PI) * spread);
        *error += c->loose * (1 + (away / spread) * (away / spread));
        for (i = 0; i < c->size; i++) mean[i] += (double)(given[i][b] / given[b][b]) * away;
        fixed |= 1 << b;
    }
    return 1;
}
