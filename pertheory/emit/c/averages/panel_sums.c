/* Sums over the directions, the outermost cut in halves until it is resolved. */

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
    const size_t row = 4 * (size_t)leaves; /* of sums, one for each panel */
    double *sums = call->space, *total = sums + AVG_PANELS * row, *out = total + 2 * leaves;
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
    for (panels = 0; panels + 1 < count && panels < AVG_PANELS - 1; panels++)
        low[panels] = cuts[panels], high[panels] = cuts[panels + 1];
    high[panels - 1] = f->reach;
    for (k = 0; k < panels; k++) avg_panel(f, low[k], high[k], sums + (size_t)k * row, out);
    for (;;) {
        int widest = 0;
        for (l = 0; l < 2 * leaves; l++) total[l] = 0;
        for (k = 0; k < panels; k++)
            for (l = 0; l < leaves; l++) {
                const double *own = sums + (size_t)k * row + 4 * l;
                total[l] += own[0], total[leaves + l] += own[1];
            }
        for (k = 0; k < panels; k++) {
            worst[k] = 0;
            for (l = 0; l < leaves; l++) {
                const double *own = sums + (size_t)k * row + 4 * l;
                const double tail = fmax(fabs(own[2]), fabs(own[3]));
                if (total[leaves + l] > 0) worst[k] = fmax(worst[k], tail / total[leaves + l]);
            }
            if (worst[k] > worst[widest]) widest = k;
        }
        if (worst[widest] <= AVG_RESOLVED || panels == AVG_PANELS || high[widest] - low[widest] < 1e-9) break;
        low[panels] = 0.5 * (low[widest] + high[widest]), high[panels] = high[widest], high[widest] = low[panels];
        avg_panel(f, low[widest], high[widest], sums + (size_t)widest * row, out);
        avg_panel(f, low[panels], high[panels], sums + (size_t)panels * row, out);
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
