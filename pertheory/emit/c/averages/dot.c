static double avg_dot(const double *a, const double *b, size_t n)
{
    double s[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    size_t k, m;
    for (k = 0; k + 8 <= n; k += 8)
        for (m = 0; m < 8; m++) s[m] += a[k + m] * b[k + m];
    for (; k < n; k++) s[0] += a[k] * b[k];
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}
