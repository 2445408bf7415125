/* The last two inputs of a Gaussian as a series in Hermite coefficients, which panels or a table give. */

/* Hermite coefficients of all columns about a mean: terms numbers for each; then the mean squares, by how much a rule of
 * lower degree misses these, and the means of absolute values. */
static void avg_panel_series(avg_field *f, double mean, double spread, double *series)
{
    double *cuts = f->cut[3], *node = f->node[3], *weight = f->weight[3], *columns = f->column[3];
    double x[AVG_BLOCK], polynomial[AVG_BLOCK], before[AVG_BLOCK];
    const size_t terms = f->terms;
    double *squares = series + (size_t)f->set->columns * terms, *apart = squares + f->set->columns;
    double *sizes = apart + f->set->columns;
    int count = avg_plain_cuts(cuts, f->reach + 1), c;
    size_t nodes, first, k, n;
    avg_edge_cuts(f, cuts, &count, mean, spread, 0);
    nodes = avg_panel_nodes(cuts, count, node, weight);
    memset(series, 0, (size_t)f->set->columns * (terms + 3) * sizeof(double));
    for (first = 0; first < nodes; first += AVG_BLOCK) {
        const size_t some = nodes - first < AVG_BLOCK ? nodes - first : AVG_BLOCK;
        for (k = 0; k < some; k++) x[k] = mean + spread * node[first + k];
        avg_columns(f->set, some, x, f->lines, columns);
        for (k = 0; k < some; k++) x[k] = node[first + k], polynomial[k] = weight[first + k], before[k] = 0;
        for (c = 0; c < f->set->columns; c++)
            for (k = 0; k < some; k++) {
                const double value = columns[(size_t)c * AVG_BLOCK + k];
                squares[c] += weight[first + k] * value * value;
                apart[c] += (weight[AVG_PANEL_NODES + first + k] - weight[first + k]) * value * value;
                sizes[c] += weight[first + k] * fabs(value);
            }
        for (n = 0; n < terms; n++) {
            const double a = 1 / sqrt((double)(n + 1)), b = sqrt((double)n / (double)(n + 1));
            for (c = 0; c < f->set->columns; c++)
                series[(size_t)c * terms + n] += avg_dot(polynomial, columns + (size_t)c * AVG_BLOCK, some);
            for (k = 0; k < some; k++) {
                const double next = a * x[k] * polynomial[k] - b * before[k];
                before[k] = polynomial[k], polynomial[k] = next;
            }
        }
    }
}

/* Coefficients of the last input about a mean, from the table. */
static void avg_look_up(avg_field *f, double mean, double *series)
{
    const size_t row = (size_t)f->set->columns * (f->terms + 3);
    long panel = (long)floor(mean / f->width) - f->low;
    double *own, at, total = 0, share[AVG_CHEBYSHEV];
    size_t k, n;
    if (panel < 0) panel = 0;
    if (panel >= (long)f->panels) panel = (long)f->panels - 1;
    own = f->table + (size_t)panel * (AVG_CHEBYSHEV * row + 1);
    at = 2 * (mean / f->width - (double)(panel + f->low)) - 1;
    for (k = 0; k < AVG_CHEBYSHEV; k++) {
        const double angle = AVG_PI * ((double)k + 0.5) / AVG_CHEBYSHEV;
        double away = at - cos(angle);
        if (own[0] == 0)
            avg_panel_series(f, f->width * ((double)(panel + f->low) + 0.5 + 0.5 * cos(angle)), f->spread[1],
                             own + 1 + k * row);
        if (fabs(away) < 1e-14) away = 1e-14;
        share[k] = (k % 2 ? -sin(angle) : sin(angle)) / away;
        total += share[k];
    }
    own[0] = 1;
    memset(series, 0, row * sizeof(double));
    for (k = 0; k < AVG_CHEBYSHEV; k++)
        for (n = 0; n < row; n++) series[n] += share[k] / total * own[1 + k * row + n];
}

/* Averages of the leaves over the last two inputs from the series of both, the powers of their correlation in the
 * first: the average, the root of mean squares, its error, and what the scale would be of independent inputs. */
static void avg_join(const avg_field *f, const double *first, const double *second, double *out)
{
    const size_t terms = f->terms, columns = (size_t)f->set->columns, leaves = (size_t)f->group->count;
    const double *one = first + columns * terms, *two = second + columns * terms;
    size_t l;
    for (l = 0; l < leaves; l++) {
        const short *leaf = f->set->leaf[(size_t)f->group->first + l];
        const size_t c = (size_t)leaf[f->slot[f->size - 2]], d = (size_t)leaf[f->slot[f->size - 1]];
        const double size = sqrt(fmax(one[c] * two[d], 0));
        out[l] = avg_dot(first + c * terms, second + d * terms, terms);
        out[leaves + l] = size;
        out[3 * leaves + l] = one[2 * columns + c] * two[2 * columns + d];
        out[2 * leaves + l] =
            size > 0 ? size * (fabs(one[columns + c]) / one[c] + fabs(two[columns + d]) / two[d]) : 0;
    }
}

static void avg_third(avg_field *f, double mean, double *series)
{
    double power = 1;
    size_t n;
    int c;
    avg_panel_series(f, mean, f->spread[0], series);
    for (n = 0; n < f->terms; n++, power *= f->ratio)
        for (c = 0; c < f->set->columns; c++) series[(size_t)c * f->terms + n] *= power;
}
