/* Averages of piecewise analytic functions: panels that end at the kinks, in standard normal variables z = mean + L xi.
 * The outermost direction is cut in halves until it is resolved. */

/* As above. */
static const double avg_legendre16[8][2] = {
    {0.095012509837637440185, 0.18945061045506849629}, {0.28160355077925891323, 0.18260341504492358887},
    {0.45801677765722738634, 0.16915651939500253819},  {0.61787624440264374845, 0.14959598881657673208},
    {0.7554044083550030339, 0.12462897125553387205},   {0.86563120238783174388, 0.09515851168249278481},
    {0.94457502307323257608, 0.062253523938647892863}, {0.9894009349916499326, 0.027152459411754094852}};

/* Most panels of the outermost direction, of an inner one, and nodes of an inner one. */
#define AVG_PANELS 192
#define AVG_CUTS 256
#define AVG_PANEL_NODES (16 * AVG_CUTS)
/* Widest panel, in standard deviations. */
#define AVG_WIDEST 2.2
/* Most terms of a series in Hermite coefficients, and numbers in a table of them. */
#define AVG_LONG 96
#define AVG_KINKED_TABLE 600000
#define AVG_CHEBYSHEV 12
/* Conditional variances below this fraction of a variance: no series. */
#define AVG_THIN 1e-8
/* A panel is resolved when the last Legendre coefficients of every average are below this fraction of its size. */
#define AVG_RESOLVED 1e-7

/* One Gaussian: the free inputs, sorted by the direction that they need last. */
typedef struct {
    avg_call *call;
    const avg_set *set;
    const avg_leaves *group;
    int size, rank, paired; /* paired: the last two inputs are averaged as a series, rank counts the other directions */
    int slot[4], level[4];  /* level: directions that the input needs */
    double mean[4], root[4][4], ratio, spread[2], reach;
    size_t terms;
    int rough; /* inner rules with fewer nodes, to see what they miss */
    double *cut[4], *node[4], *weight[4], *column[4], *inner[4];
    double *lines, *series, *table, *joined;
    long low; /* table: panels of means from low * width on */
    size_t panels;
    double width;
} avg_field;

static int avg_compare(const double *cuts, int count, double value)
{
    int low = 0, high = count;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (cuts[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Add a cut to a sorted list, unless it is there or outside. */
static void avg_cut(double *cuts, int *count, double value)
{
    const double first = cuts[0], last = cuts[*count - 1];
    int place, k;
    if (!(value > first && value < last) || *count >= AVG_CUTS - 1) return;
    place = avg_compare(cuts, *count, value);
    if (cuts[place] - value < 1e-13 || value - cuts[place - 1] < 1e-13) return;
    for (k = (*count)++; k > place; k--) cuts[k] = cuts[k - 1];
    cuts[place] = value;
}

static int avg_plain_cuts(double *cuts, double reach)
{
    const int panels = (int)ceil(2 * reach / AVG_WIDEST);
    int k;
    for (k = 0; k <= panels; k++) cuts[k] = -reach + 2 * reach * k / panels;
    return panels + 1;
}

/* Cuts where mean + slope * x meets an edge; `smear` spreads what is seen of it. */
static void avg_edge_cuts(double *cuts, int *count, double mean, double slope, double smear)
{
    static const double ladder[5] = {0, 1.2, 2.7, 5, 9};
    int e, k;
    if (slope == 0) return;
    for (e = 0; e < AVG_EDGES; e++) {
        const double place = (avg_edges[e] - mean) / slope, width = smear / fabs(slope);
        if (!(fabs(place) < fabs(cuts[0]) + 9 * width)) continue;
        for (k = 0; k < (smear > 0 ? 5 : 1); k++) {
            avg_cut(cuts, count, place + ladder[k] * width);
            avg_cut(cuts, count, place - ladder[k] * width);
        }
    }
}

/* Nodes and weights (times the density) of all panels; how many. */
static size_t avg_panel_nodes(const double *cuts, int count, int rough, double *node, double *weight)
{
    const int half_nodes = rough ? 6 : 8;
    size_t n = 0;
    int panel, k, side;
    for (panel = 0; panel + 1 < count; panel++) {
        const double middle = 0.5 * (cuts[panel] + cuts[panel + 1]), half = 0.5 * (cuts[panel + 1] - cuts[panel]);
        for (k = 0; k < half_nodes; k++)
            for (side = -1; side <= 1; side += 2, n++) {
                const double *rule = rough ? avg_legendre12[k] : avg_legendre16[k];
                node[n] = middle + side * half * rule[0];
                weight[n] = half * rule[1] * avg_density(node[n]);
            }
    }
    return n;
}

/* Sum a leaf's factors of some inputs at a node: columns of input k stand in column[k]. */
static double avg_factor_at(const avg_field *f, const short *leaf, int from, int to, size_t p)
{
    double value = 1;
    int k;
    for (k = from; k < to; k++) value *= f->column[k][(size_t)leaf[f->slot[k]] * AVG_BLOCK + p];
    return value;
}

/* Hermite coefficients of all columns about a mean: terms numbers for each; then the mean squares. */
static void avg_panel_series(const avg_field *f, double mean, double spread, double *series)
{
    double *cuts = f->cut[3], *node = f->node[3], *weight = f->weight[3], *columns = f->column[3];
    double x[AVG_BLOCK], polynomial[AVG_BLOCK], before[AVG_BLOCK];
    const size_t terms = f->terms;
    double *squares = series + (size_t)f->set->columns * terms;
    int count = avg_plain_cuts(cuts, f->reach + 1), c;
    size_t nodes, first, k, n;
    avg_edge_cuts(cuts, &count, mean, spread, 0);
    nodes = avg_panel_nodes(cuts, count, f->rough, node, weight);
    memset(series, 0, (size_t)f->set->columns * (terms + 1) * sizeof(double));
    for (first = 0; first < nodes; first += AVG_BLOCK) {
        const size_t some = nodes - first < AVG_BLOCK ? nodes - first : AVG_BLOCK;
        for (k = 0; k < some; k++) x[k] = mean + spread * node[first + k];
        avg_columns(f->set, some, x, f->lines, columns);
        for (k = 0; k < some; k++) x[k] = node[first + k], polynomial[k] = weight[first + k], before[k] = 0;
        for (c = 0; c < f->set->columns; c++)
            for (k = 0; k < some; k++) {
                const double value = columns[(size_t)c * AVG_BLOCK + k];
                squares[c] += weight[first + k] * value * value;
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
static void avg_look_up(const avg_field *f, double mean, double *series)
{
    const size_t row = (size_t)f->set->columns * (f->terms + 1);
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

/* Sums of the leaves of the last two inputs: series of both, times the powers of their correlation in the first. */
static void avg_join(const avg_field *f, const double *first, const double *second, double *joined, double *sizes)
{
    const size_t terms = f->terms;
    const int columns = f->set->columns;
    int c, d;
    for (c = 0; c < columns; c++)
        for (d = 0; d < columns; d++) {
            joined[c * columns + d] = avg_dot(first + (size_t)c * terms, second + (size_t)d * terms, terms);
            sizes[c * columns + d] = sqrt(fmax(first[(size_t)columns * terms + (size_t)c] * second[(size_t)columns * terms + (size_t)d], 0));
        }
}

static void avg_third(const avg_field *f, double mean, double *series)
{
    double power = 1;
    size_t n;
    int c;
    avg_panel_series(f, mean, f->spread[0], series);
    for (n = 0; n < f->terms; n++, power *= f->ratio)
        for (c = 0; c < f->set->columns; c++) series[(size_t)c * f->terms + n] *= power;
}

/* Cuts where kinks of two inputs meet in the one direction after j. */
static void avg_meetings(const avg_field *f, int j, const double *mean, double *cuts, int *count)
{
    int i, k, e, g;
    for (k = 0; k < f->size; k++)
        for (i = 0; i < k; i++) {
            const double a = f->root[k][j + 1], b = f->root[i][j + 1], slope = f->root[k][j] * b - f->root[i][j] * a;
            if (f->level[i] != j + 2 || f->level[k] != j + 2) continue;
            if (fabs(slope) <= 1e-9 * (fabs(f->root[k][j] * b) + fabs(f->root[i][j] * a))) continue;
            for (e = 0; e < AVG_KINKS; e++)
                for (g = 0; g < AVG_KINKS; g++)
                    avg_cut(cuts, count, ((avg_kinks[e] - mean[k]) * b - (avg_kinks[g] - mean[i]) * a) / slope);
        }
}

/* Averages of the leaves over the directions from j on (and the last pair), given xi before; out: sums, then sizes. */
static void avg_inside(const avg_field *f, int j, double *xi, double *out)
{
    const int leaves = f->group->count, columns = f->set->columns;
    const short(*leaf)[4] = f->set->leaf + f->group->first;
    const int pair = f->size - 2;
    double mean[4], *cuts, *node, *weight;
    size_t nodes, first, p;
    int k, l, i, count, from = 0, to;
    if (j > 3) return; /* never: there are at most four directions; compilers that inline the recursion want to know */
    cuts = f->cut[j], node = f->node[j], weight = f->weight[j];
    for (k = 0; k < f->size; k++)
        for (mean[k] = f->mean[k], i = 0; i < j; i++) mean[k] += f->root[k][i] * xi[i];
    for (l = 0; l < 2 * leaves; l++) out[l] = 0;
    if (j == f->rank) {
        /* nothing but the pair is left */
        double *one = f->series, *two = one + (size_t)columns * (f->terms + 1), *sizes = f->joined + columns * columns;
        if (j == 0) avg_third(f, mean[pair], one);
        if (f->panels)
            avg_look_up(f, mean[pair + 1], two);
        else
            avg_panel_series(f, mean[pair + 1], f->spread[1], two);
        avg_join(f, one, two, f->joined, sizes);
        for (l = 0; l < leaves; l++) {
            const int at = leaf[l][f->slot[pair]] * columns + leaf[l][f->slot[pair + 1]];
            out[l] = f->joined[at], out[leaves + l] = sizes[at];
        }
        return;
    }
    if (j == 1 && f->paired) avg_third(f, mean[pair], f->series);
    count = avg_plain_cuts(cuts, f->reach);
    for (to = 0; to < f->size && f->level[to] <= j + 1; to++) {}
    for (from = to; from > 0 && f->level[from - 1] == j + 1; from--) {}
    for (k = from; k < to; k++) avg_edge_cuts(cuts, &count, mean[k], f->root[k][j], 0);
    for (k = to; k < f->size; k++) {
        double smear = 0;
        for (i = j + 1; i < f->size; i++) smear = hypot(smear, f->root[k][i]);
        if (smear < fabs(f->root[k][j])) avg_edge_cuts(cuts, &count, mean[k], f->root[k][j], smear);
    }
    if (j + 2 == f->rank) avg_meetings(f, j, mean, cuts, &count);
    nodes = avg_panel_nodes(cuts, count, f->rough, node, weight);
    for (first = 0; first < nodes; first += AVG_BLOCK) {
        const size_t some = nodes - first < AVG_BLOCK ? nodes - first : AVG_BLOCK;
        for (k = from; k < to; k++) {
            double x[AVG_BLOCK];
            for (p = 0; p < some; p++) x[p] = mean[k] + f->root[k][j] * node[first + p];
            avg_columns(f->set, some, x, f->lines, f->column[k]);
        }
        if (j + 1 == f->rank && !f->paired) {
            if (to - from == 1) { /* one sum for each column */
                double sum[AVG_COLUMNS], size[AVG_COLUMNS];
                for (k = 0; k < columns; k++) {
                    const double *column = f->column[from] + (size_t)k * AVG_BLOCK;
                    sum[k] = avg_dot(weight + first, column, some), size[k] = 0;
                    for (p = 0; p < some; p++) size[k] += weight[first + p] * fabs(column[p]);
                }
                for (l = 0; l < leaves; l++)
                    k = leaf[l][f->slot[from]], out[l] += sum[k], out[leaves + l] += size[k];
                continue;
            }
            for (l = 0; l < leaves; l++)
                for (p = 0; p < some; p++) {
                    const double value = weight[first + p] * avg_factor_at(f, leaf[l], from, to, p);
                    out[l] += value, out[leaves + l] += fabs(value);
                }
            continue;
        }
        for (p = 0; p < some; p++) {
            double *inner = f->inner[j];
            xi[j] = node[first + p];
            avg_inside(f, j + 1, xi, inner);
            for (l = 0; l < leaves; l++) {
                const double value = weight[first + p] * avg_factor_at(f, leaf[l], from, to, p);
                out[l] += value * inner[l], out[leaves + l] += fabs(value) * inner[leaves + l];
            }
        }
    }
}

/* The integrand of the outermost direction, its density included. */
static void avg_outside(avg_field *f, double x, double *out)
{
    const int leaves = f->group->count;
    const short(*leaf)[4] = f->set->leaf + f->group->first;
    double xi[4], z, density = avg_density(x);
    int k, l, to;
    xi[0] = x;
    for (to = 0; to < f->size && f->level[to] <= 1; to++) {}
    if (f->rank == 1 && !f->paired)
        for (l = 0; l < 2 * leaves; l++) out[l] = 1;
    else {
        if (f->rank == 1) avg_third(f, f->mean[f->size - 2] + f->root[f->size - 2][0] * x, f->series);
        avg_inside(f, 1, xi, out);
    }
    for (k = 0; k < to; k++) {
        z = f->mean[k] + f->root[k][0] * x;
        avg_columns(f->set, 1, &z, f->lines, f->column[k]);
    }
    for (l = 0; l < leaves; l++) {
        const double value = density * avg_factor_at(f, leaf[l], 0, to, 0);
        out[l] *= value, out[leaves + l] *= fabs(value);
    }
}

/* Sums over one panel: integrals, those of sizes, and the sizes of the last Legendre coefficients. */
static void avg_panel(avg_field *f, double low, double high, double *sums, double *out)
{
    const int leaves = f->group->count;
    const double middle = 0.5 * (low + high), half = 0.5 * (high - low);
    int k, side, l, n;
    memset(sums, 0, 4 * (size_t)leaves * sizeof(double));
    for (k = 0; k < 6; k++)
        for (side = -1; side <= 1; side += 2) {
            const double x = side * avg_legendre12[k][0], weight = avg_legendre12[k][1] * half;
            double one = 1, two = x;
            for (n = 1; n < 10; n++) {
                const double next = ((2 * n + 1) * x * two - n * one) / (n + 1);
                one = two, two = next;
            }
            one = (21 * x * two - 10 * one) / 11; /* two: degree 10, one: degree 11 */
            avg_outside(f, middle + half * x, out);
            for (l = 0; l < leaves; l++) {
                sums[4 * l] += weight * out[l];
                sums[4 * l + 1] += weight * out[leaves + l];
                sums[4 * l + 2] += 10.5 * weight * two * out[l];
                sums[4 * l + 3] += 11.5 * weight * one * out[l];
            }
        }
}

/* Room for coefficients of the last input about all means that it may have. */
static void avg_lay_table(avg_field *f)
{
    const size_t row = (size_t)f->set->columns * (f->terms + 1);
    double reach = 0, panels;
    size_t k;
    int i;
    f->panels = 0;
    if (!f->paired || f->rank < 2) return;
    for (i = 0; i < f->rank; i++) reach += fabs(f->root[f->size - 1][i]) * f->reach;
    f->width = 0.5 * f->spread[1];
    f->low = (long)floor((f->mean[f->size - 1] - reach) / f->width);
    panels = ceil((f->mean[f->size - 1] + reach) / f->width) - (double)f->low + 1;
    if (panels * (double)(AVG_CHEBYSHEV * row + 1) > AVG_KINKED_TABLE) return;
    f->panels = (size_t)panels;
    for (k = 0; k < f->panels; k++) f->table[k * (AVG_CHEBYSHEV * row + 1)] = 0;
}

/* Averages of the leaves of a field; the density of the deltas is `factor`. */
static void avg_adapt(avg_field *f, double factor, double *values)
{
    avg_call *call = f->call;
    const int leaves = f->group->count;
    double *sums = call->space, *total = sums + (size_t)AVG_PANELS * 4 * leaves, *out = total + 2 * leaves;
    double *other = out + 2 * leaves, low[AVG_PANELS], high[AVG_PANELS], worst[AVG_PANELS], cuts[AVG_CUTS], error = 0;
    int panels, count, k, l, n, outermost;
    size_t size;
    if (f->rank == 0) {
        double none[4] = {0, 0, 0, 0};
        avg_inside(f, 0, none, out);
        f->rough = 1;
        avg_inside(f, 0, none, other);
        f->rough = 0;
        for (l = 0; l < leaves; l++) {
            values[l] = factor * out[l];
            if (out[leaves + l] > 0) avg_raise(call, pow(fabs(out[l] - other[l]) / out[leaves + l], 1.2));
        }
        return;
    }
again:
    avg_lay_table(f);
    count = avg_plain_cuts(cuts, f->reach);
    for (k = 0; k < f->size; k++)
        if (f->level[k] == 1) avg_edge_cuts(cuts, &count, f->mean[k], f->root[k][0], 0);
    if (f->rank == 2) avg_meetings(f, 0, f->mean, cuts, &count);
    for (panels = 0; panels + 1 < count && panels < AVG_PANELS - 1; panels++) low[panels] = cuts[panels], high[panels] = cuts[panels + 1];
    high[panels - 1] = f->reach;
    for (k = 0; k < panels; k++) avg_panel(f, low[k], high[k], sums + (size_t)k * 4 * leaves, out);
    for (;;) {
        int widest = 0;
        for (l = 0; l < 2 * leaves; l++) total[l] = 0;
        for (k = 0; k < panels; k++)
            for (l = 0; l < leaves; l++) {
                total[l] += sums[((size_t)k * leaves + l) * 4];
                total[leaves + l] += sums[((size_t)k * leaves + l) * 4 + 1];
            }
        for (k = 0; k < panels; k++) {
            worst[k] = 0;
            for (l = 0; l < leaves; l++) {
                const double *own = sums + ((size_t)k * leaves + l) * 4;
                const double tail = fmax(fabs(own[2]), fabs(own[3]));
                if (total[leaves + l] > 0) worst[k] = fmax(worst[k], tail / total[leaves + l]);
            }
            if (worst[k] > worst[widest]) widest = k;
        }
        if (worst[widest] <= AVG_RESOLVED || panels == AVG_PANELS || high[widest] - low[widest] < 1e-9) break;
        low[panels] = 0.5 * (low[widest] + high[widest]), high[panels] = high[widest], high[widest] = low[panels];
        avg_panel(f, low[widest], high[widest], sums + (size_t)widest * 4 * leaves, out);
        avg_panel(f, low[panels], high[panels], sums + (size_t)panels * 4 * leaves, out);
        panels++;
    }
    for (outermost = 0, k = -1; k <= 1; k += 2) {
        avg_outside(f, k * f->reach, out);
        for (l = 0; l < leaves; l++) outermost |= out[leaves + l] > 1e-15 * total[leaves + l];
    }
    if (outermost && f->reach < 36) {
        f->reach += 2;
        goto again;
    }
    for (k = 0; k < panels; k++) error += pow(worst[k], 1.6);
    /* what the inner rules miss, at a few places */
    for (n = 0; n < 3 && (f->rank > 1 || f->paired); n++) {
        const double x = -0.9 + 0.83 * n;
        avg_outside(f, x, out);
        f->rough = 1;
        avg_outside(f, x, other);
        f->rough = 0;
        for (l = 0; l < leaves; l++)
            if (total[leaves + l] > 0)
                error = fmax(error, pow(fabs(out[l] - other[l]) / (out[leaves + l] + total[leaves + l]), 1.2));
    }
    avg_raise(call, error);
    for (l = 0; l < leaves; l++) values[l] = factor * total[l];
    for (size = 0; size < (size_t)leaves; size++)
        if (!isfinite(total[leaves + (int)size])) values[size] = NAN;
}

/* Choose the pair of inputs that is averaged as a series: the least correlated given the others; 0 if there is none. */
static int avg_pair_off(avg_field *f, const double covariance[4][4], const int *slots)
{
    double least = 2, root[4][4];
    int order[4], i, j, k, c, d, n;
    for (c = 0; c < f->size; c++)
        for (d = 0; d < f->size; d++) {
            double spread, partial;
            int fine = 1;
            if (c == d) continue;
            for (n = 0, i = 0; i < f->size; i++)
                if (i != c && i != d) order[n++] = i;
            order[n] = c, order[n + 1] = d;
            memset(root, 0, sizeof root);
            for (i = 0; i < f->size; i++)
                for (j = 0; j <= i; j++) {
                    double left = covariance[order[i]][order[j]];
                    for (k = 0; k < j; k++) left -= root[i][k] * root[j][k];
                    if (i != j) {
                        root[i][j] = root[j][j] > 0 ? left / root[j][j] : 0;
                        continue;
                    }
                    fine &= left > AVG_THIN * covariance[order[i]][order[i]];
                    root[i][i] = sqrt(fmax(left, 0));
                }
            spread = hypot(root[n + 1][n], root[n + 1][n + 1]);
            if (!fine) continue;
            partial = fabs(root[n + 1][n]) / spread;
            if (partial >= least) continue;
            least = partial;
            memcpy(f->root, root, sizeof root);
            for (i = 0; i < f->size; i++) f->slot[i] = order[i];
        }
    if (least > 0.72) return 0;
    f->terms = 8 * (size_t)ceil(log(1e-14) / log(fmax(least, 1e-2)) / 8);
    if (f->terms > AVG_LONG) f->terms = AVG_LONG;
    n = f->size - 2;
    f->spread[0] = f->root[n][n], f->spread[1] = hypot(f->root[n + 1][n], f->root[n + 1][n + 1]);
    f->ratio = f->root[n + 1][n] / f->spread[1];
    f->rank = n, f->paired = 1;
    if (n == 2) {
        /* turned so that the mean of the third input depends on the first direction alone */
        const double length = hypot(f->root[2][0], f->root[2][1]);
        const double cosine = length > 0 ? f->root[2][0] / length : 1, sine = length > 0 ? f->root[2][1] / length : 0;
        for (i = 0; i < 4; i++) {
            const double a = f->root[i][0], b = f->root[i][1];
            f->root[i][0] = cosine * a + sine * b, f->root[i][1] = cosine * b - sine * a;
        }
        f->root[2][1] = 0;
    }
    for (i = 0; i < f->size; i++) {
        f->level[i] = n + 1;
        for (j = 0; j < n && i < n; j++)
            if (f->root[i][j] != 0) f->level[i] = j + 1;
    }
    if (n == 2 && f->level[0] > f->level[1]) {
        for (j = 0; j < 4; j++) {
            const double a = f->root[0][j];
            f->root[0][j] = f->root[1][j], f->root[1][j] = a;
        }
        i = f->slot[0], f->slot[0] = f->slot[1], f->slot[1] = i;
        f->level[0] = 1, f->level[1] = 2;
    }
    for (i = 0; i < f->size; i++) f->slot[i] = slots[f->slot[i]];
    return 1;
}

/* Factor with pivoting, the inputs sorted by the last direction that they need. */
static void avg_nest_off(avg_field *f, const double covariance[4][4], const int *slots)
{
    double left[4][4], root[4][4];
    int level[4] = {0, 0, 0, 0}, i, j, n = 0;
    memset(root, 0, sizeof root);
    memcpy(left, covariance, sizeof left);
    f->rank = 0, f->paired = 0, f->terms = 0;
    for (;;) {
        int pivot = -1;
        double most = 0;
        for (i = 0; i < f->size; i++)
            if (!level[i] && left[i][i] / covariance[i][i] > most) most = left[i][i] / covariance[i][i], pivot = i;
        if (pivot < 0) break;
        for (i = 0; i < f->size; i++) root[i][f->rank] = level[i] ? 0 : left[i][pivot] / sqrt(left[pivot][pivot]);
        for (i = 0; i < f->size; i++)
            for (j = 0; j < f->size; j++) left[i][j] -= root[i][f->rank] * root[j][f->rank];
        f->rank++;
        for (i = 0; i < f->size; i++)
            if (!level[i] && (i == pivot || left[i][i] <= AVG_COLLINEAR * covariance[i][i])) level[i] = f->rank;
    }
    for (j = 1; j <= f->rank; j++)
        for (i = 0; i < f->size; i++)
            if (level[i] == j) {
                memcpy(f->root[n], root[i], sizeof root[i]);
                f->level[n] = j, f->slot[n++] = slots[i];
            }
}

/* Values of all columns at a point where an input is held; NaN for those that jump there. */
static void avg_held(const avg_field *f, double place, double *held)
{
    double x[2], *columns = f->column[0];
    int e, c, kink = 0;
    x[0] = x[1] = place;
    for (e = 0; e < AVG_KINKS; e++)
        if (fabs(place - avg_kinks[e]) <= 1e-12 * fabs(avg_kinks[e])) {
            const double away = 4 * DBL_EPSILON * fmax(fabs(avg_kinks[e]), DBL_MIN / DBL_EPSILON);
            x[0] = avg_kinks[e] - away, x[1] = avg_kinks[e] + away, kink = 1;
        }
    avg_columns(f->set, 2, x, f->lines, columns);
    for (c = 0; c < f->set->columns; c++) {
        const double a = columns[(size_t)c * AVG_BLOCK], b = columns[(size_t)c * AVG_BLOCK + 1];
        held[c] = kink && fabs(a - b) > 1e-12 * (fabs(a) + fabs(b)) ? NAN : 0.5 * (a + b);
    }
}

#define AVG_KINKED_ROOM \
    (AVG_KINKED_TABLE + 4 * (AVG_CUTS + 2 * AVG_PANEL_NODES + AVG_COLUMNS * (AVG_BLOCK + 1) + 2 * AVG_LEAVES) + \
     2 * AVG_COLUMNS * (AVG_LONG + 1 + AVG_COLUMNS) + AVG_LEAVES * (4 * AVG_PANELS + 8))

/* All leaves of a set. */
static void avg_leaf_values(avg_call *call, const avg_set *set, const avg_conditions *c, double *values)
{
    double *const space = call->space;
    int g, i, j, k, l;
    for (g = 0; g < set->groups; g++) {
        const avg_leaves *group = &set->group[g];
        const long double(*given)[4] = (const long double(*)[4])c->given[group->mask];
        double mean[4], factor, covariance[4][4], held[4][AVG_COLUMNS], *own = values + group->first;
        const int met = avg_condition(c, group->mask, group->place, mean, &factor);
        int slots[4], fixed[4], holds = 0;
        avg_field f;
        double *room = space;
        f.call = call, f.set = set, f.group = group, f.size = 0, f.rough = 0, f.panels = 0, f.reach = 8.5;
        f.width = 1, f.low = 0, f.ratio = f.spread[0] = f.spread[1] = 0;
        for (l = 0; l < group->count; l++) own[l] = met < 0 ? NAN : 0;
        if (met != 1 || factor == 0) continue;
        for (i = 0; i < 4; i++) {
            f.cut[i] = room, f.node[i] = f.cut[i] + AVG_CUTS, f.weight[i] = f.node[i] + AVG_PANEL_NODES;
            f.column[i] = f.weight[i] + AVG_PANEL_NODES, f.inner[i] = f.column[i] + AVG_COLUMNS * AVG_BLOCK;
            room = f.inner[i] + 2 * AVG_LEAVES;
        }
        f.lines = room, f.series = f.lines + (size_t)AVG_LINES * AVG_BLOCK;
        f.joined = f.series + (size_t)2 * AVG_COLUMNS * (AVG_LONG + 1);
        f.table = f.joined + (size_t)2 * AVG_COLUMNS * AVG_COLUMNS;
        call->space = f.table + AVG_KINKED_TABLE;
        for (i = 0; i < set->size; i++) {
            if (group->mask >> i & 1) continue;
            if (given[i][i] > 0)
                slots[f.size++] = i;
            else {
                avg_held(&f, mean[i], held[i]);
                fixed[holds++] = i;
            }
        }
        memset(covariance, 0, sizeof covariance);
        for (i = 0; i < f.size; i++)
            for (j = 0; j < f.size; j++) covariance[i][j] = (double)given[slots[i]][slots[j]];
        if (f.size == 0)
            for (l = 0; l < group->count; l++) own[l] = factor;
        else {
            if (f.size < 2 || !avg_pair_off(&f, (const double(*)[4])covariance, slots))
                avg_nest_off(&f, (const double(*)[4])covariance, slots);
            if (f.rank > 3) { /* four nested directions take minutes */
                for (l = 0; l < group->count; l++) own[l] = NAN;
                call->refused = 1;
                continue;
            }
            for (k = 0; k < f.size; k++) f.mean[k] = mean[f.slot[k]];
            avg_adapt(&f, factor, own);
        }
        for (l = 0; l < group->count; l++)
            for (k = 0; k < holds; k++) own[l] *= held[fixed[k]][set->leaf[group->first + l][fixed[k]]];
    }
    call->space = space;
}
