/* Probabilities of the signs of up to four variables of mean zero. */

/* All four positive. Correlations are switched on together, r -> t r with t = cos(psi): the derivative of the
 * probability is a sum over pairs of the density of the pair at zero times a probability of two variables (Plackett,
 * Biometrika 41 (1954) 351). */
static double avg_orthant4(long double r[4][4])
{
    static const signed char pairs[6][4] = {{0, 1, 2, 3}, {0, 2, 1, 3}, {0, 3, 1, 2},
                                             {1, 2, 0, 3}, {1, 3, 0, 2}, {2, 3, 0, 1}};
    double total = 0, low = 0;
    int panel, k, p, sign;
    for (panel = 36; panel >= 0; panel--) {
        const double high = 0.5 * AVG_PI * ldexp(1.0, -panel), middle = 0.5 * (low + high), half = 0.5 * (high - low);
        for (k = 0; k < 6; k++)
            for (sign = -1; sign <= 1; sign += 2) {
                const double psi = middle + sign * half * avg_legendre12[k][0], weight = half * avg_legendre12[k][1];
                /* t R + (1 - t) I = t (R + away I): nothing cancels where R is singular */
                const double t = cos(psi);
                const long double away = 2 * (long double)sin(0.5 * psi) * sin(0.5 * psi) / t, own = 1 + away;
                double sum = 0, angle;
                for (p = 0; p < 6; p++) {
                    const int i = pairs[p][0], j = pairs[p][1], a = pairs[p][2], b = pairs[p][3];
                    const long double c = r[i][j], second = (own - c) * (own + c) / own;
                    /* covariances of j, a and b given i, then of a and b given i and j */
                    const long double ja = r[j][a] - c * r[i][a] / own, jb = r[j][b] - c * r[i][b] / own;
                    const long double ab = r[a][b] - r[i][a] * r[i][b] / own - ja * jb / second;
                    const long double aa = (own - r[i][a]) * (own + r[i][a]) / own - ja * ja / second;
                    const long double bb = (own - r[i][b]) * (own + r[i][b]) / own - jb * jb / second;
                    const long double left = aa * bb - ab * ab;
                    if (c == 0 || !(second > 0)) continue;
                    angle = atan2((double)ab, sqrt((double)(left > 0 ? left : 0)));
                    sum += (double)c * sin(psi) / (t * sqrt((double)(own * second))) * (0.25 + angle / (2 * AVG_PI));
                }
                total += weight * sum;
            }
        low = high;
    }
    return 0.0625 + total / (2 * AVG_PI);
}

/* The probability that the inputs have given signs (0: any), given that those of a mask are zero. */
static double avg_orthant(const avg_conditions *c, int mask, const signed char *sign)
{
    const long double(*given)[4] = (const long double(*)[4])c->given[mask];
    long double r[4][4];
    int alive[4] = {0}, count = 0, i, j;
    double angles = 0;
    for (i = 0; i < c->size; i++) {
        int same = 0;
        if (!sign[i]) continue;
        for (j = 0; j < count && !same; j++) {
            const int a = i, b = alive[j];
            /* of inputs that the fixed ones determine, only the noise is left */
            const int still = !(given[a][a] > 0) && !(given[b][b] > 0);
            const long double(*from)[4] = still ? (const long double(*)[4])c->slight[mask] : given;
            const long double both = from[a][a] * from[b][b], cross = sign[a] * sign[b] * from[a][b];
            const long double gap = both - cross * cross;
            r[count][j] = r[j][count] = both > 0 ? cross / sqrtl(both) : 0;
            /* collinear inputs have the same sign, or never */
            same = both > 0 && gap <= AVG_COLLINEAR * both;
            if (same && cross < 0) return 0;
        }
        if (!same) alive[count++] = i;
    }
    if (count == 4) return avg_orthant4(r);
    if (count == 2) { /* an angle, which may be small */
        const long double one = given[alive[0]][alive[0]], two = c->given[mask | 1 << alive[0]][alive[1]][alive[1]];
        const long double both = sign[alive[0]] * sign[alive[1]] * given[alive[0]][alive[1]], gap = one * two;
        if (gap > 0) return atan2((double)sqrtl(gap), -(double)both) / (2 * AVG_PI);
    }
    for (i = 0; i < count; i++)
        for (j = 0; j < i; j++) angles += atan2((double)r[i][j], sqrt((double)((1 - r[i][j]) * (1 + r[i][j]))));
    return ldexp(1.0, -count) + angles / (AVG_PI * ldexp(1.0, count - 1));
}
