/* Values of products on points, and rules for one variable. */

static double avg_density(double x)
{
    return exp(-0.5 * x * x) * 0.398942280401432677940;
}

/* Products of lines at up to AVG_BLOCK points: AVG_BLOCK numbers for each column. `lines` is room for the lines. */
static void avg_columns(const avg_set *set, size_t n, const double *x, double *lines, double *columns)
{
    int c;
    size_t k;
    avg_lines(n, x, lines);
    for (c = 0; c < set->columns; c++) {
        const avg_column *column = &set->column[c];
        double *to = columns + (size_t)c * AVG_BLOCK;
        const double *line = lines + (size_t)(column->line < 0 ? 0 : column->line) * AVG_BLOCK;
        if (column->line < 0)
            for (k = 0; k < n; k++) to[k] = 1.0;
        else if (column->parent < 0)
            memcpy(to, line, n * sizeof(double));
        else {
            const double *from = columns + (size_t)column->parent * AVG_BLOCK;
            for (k = 0; k < n; k++) to[k] = from[k] * line[k];
        }
    }
}
