/* Sums over the directions, the outermost cut in halves until it is resolved. */

/* Whether any leaf has factors of some inputs at a node that are not zero: else nothing need be known of the others. */
static int avg_counts(const avg_field *f, int from, int to, size_t p)
{
    int l;
    for (l = 0; l < f->group->count; l++)
        if (avg_factor_at(f, f->set->leaf[f->group->first + l], from, to, p) != 0) return 1;
    return 0;
}

/* Averages of the leaves over the directions from j on (and the last pair), given xi before; out: sums, sums of sizes,
 * by how much rules of lower degree miss the sums, and what stands at the ends of the directions. */
static void avg_inside(avg_field *f, int j, double *xi, double *out)
{
    const int leaves = f->group->count, columns = f->set->columns, pair = f->size - 2;
    const short(*leaf)[4] = f->set->leaf + f->group->first;
    double mean[4], *cuts, *node, *weight, *rough;
    double *sum = out, *size = out + leaves, *apart = out + 2 * leaves, *end = out + 3 * leaves, *below;
    size_t nodes, first, p;
    int k, l, i, count, from = 0, to;
    if (j > 3) return; /* never: there are at most four directions; compilers that inline the recursion want to know */
    cuts = f->cut[j], node = f->node[j], weight = f->weight[j], rough = weight + AVG_PANEL_NODES;
    for (k = 0; k < f->size; k++)
        for (mean[k] = f->mean[k], i = 0; i < j; i++) mean[k] += f->root[k][i] * xi[i];
    if (j == f->rank) {
        /* nothing but the pair is left */
        double *one = f->series, *two = one + (size_t)columns * (f->terms + 3);
        if (j == 0) avg_third(f, mean[pair], one);
        if (f->panels)
            avg_look_up(f, mean[pair + 1], two);
        else
            avg_panel_series(f, mean[pair + 1], f->spread[1], two);
        avg_join(f, one, two, out);
        return;
    }
    if (j == 1 && f->paired) avg_third(f, mean[pair], f->series);
    below = f->inner[j] + 4 * AVG_LEAVES;
    for (l = 0; l < leaves; l++) sum[l] = size[l] = apart[l] = end[l] = below[l] = 0;
    count = avg_direction(f, j, mean, cuts);
    for (to = 0; to < f->size && f->level[to] <= j + 1; to++) {}
    for (from = to; from > 0 && f->level[from - 1] == j + 1; from--) {}
    nodes = avg_panel_nodes(cuts, count, node, weight);
    for (first = 0; first < nodes; first += AVG_BLOCK) {
        const size_t some = nodes - first < AVG_BLOCK ? nodes - first : AVG_BLOCK;
        for (k = from; k < to; k++) {
            double x[AVG_BLOCK];
            for (p = 0; p < some; p++) x[p] = mean[k] + f->root[k][j] * node[first + p];
            avg_columns(f->set, some, x, f->lines, f->column[k]);
        }
        if (j + 1 == f->rank && !f->paired) {
            if (to - from == 1) { /* one sum for each column */
                double fine[AVG_COLUMNS] = {0}, coarse[AVG_COLUMNS] = {0}, whole[AVG_COLUMNS] = {0};
                for (k = 0; k < columns; k++) {
                    const double *column = f->column[from] + (size_t)k * AVG_BLOCK;
                    fine[k] = avg_dot(weight + first, column, some);
                    coarse[k] = avg_dot(rough + first, column, some), whole[k] = 0;
                    for (p = 0; p < some; p++) whole[k] += weight[first + p] * fabs(column[p]);
                }
                for (l = 0; l < leaves; l++) {
                    const double *column = f->column[from] + (size_t)leaf[l][f->slot[from]] * AVG_BLOCK;
                    k = leaf[l][f->slot[from]];
                    if (first == 0) end[l] = fabs(column[0]);
                    end[l] = fmax(end[l], fabs(column[some - 1]));
                    sum[l] += fine[k], size[l] += whole[k], apart[l] += fine[k] - coarse[k];
                }
                continue;
            }
            for (l = 0; l < leaves; l++) {
                if (first == 0) end[l] = fabs(avg_factor_at(f, leaf[l], from, to, 0));
                end[l] = fmax(end[l], fabs(avg_factor_at(f, leaf[l], from, to, some - 1)));
                for (p = 0; p < some; p++) {
                    const double factor = avg_factor_at(f, leaf[l], from, to, p), value = weight[first + p] * factor;
                    sum[l] += value, size[l] += fabs(value), apart[l] += value - rough[first + p] * factor;
                }
            }
            continue;
        }
        for (p = 0; p < some; p++) {
            double *inner = f->inner[j];
            if (!avg_counts(f, from, to, p)) continue;
            xi[j] = node[first + p];
            avg_inside(f, j + 1, xi, inner);
            for (l = 0; l < leaves; l++) {
                const double factor = avg_factor_at(f, leaf[l], from, to, p), value = weight[first + p] * factor;
                sum[l] += value * inner[l], size[l] += fabs(value) * inner[leaves + l];
                apart[l] += (value - rough[first + p] * factor) * inner[l];
                below[l] += fabs(value) * inner[2 * leaves + l], end[l] += fabs(value) * inner[3 * leaves + l];
            }
        }
    }
    for (l = 0; l < leaves; l++) apart[l] = fabs(apart[l]) + below[l];
    for (l = 0; l < leaves && j + 1 == f->rank && !f->paired; l++) end[l] *= avg_density(f->reach);
}

/* The integrand of the outermost direction, its density included. */
static void avg_outside(avg_field *f, double x, double *out)
{
    const int leaves = f->group->count;
    const short(*leaf)[4] = f->set->leaf + f->group->first;
    double xi[4], z, density = avg_density(x);
    int l, to;
    xi[0] = x;
    for (to = 0; to < f->size && f->level[to] <= 1; to++) {
        z = f->mean[to] + f->root[to][0] * x;
        avg_columns(f->set, 1, &z, f->lines, f->column[to]);
    }
    if (!avg_counts(f, 0, to, 0)) {
        for (l = 0; l < 4 * leaves; l++) out[l] = 0;
        return;
    }
    if (f->rank == 1 && !f->paired)
        for (l = 0; l < 4 * leaves; l++) out[l] = l < 2 * leaves;
    else {
        if (f->rank == 1) avg_third(f, f->mean[f->size - 2] + f->root[f->size - 2][0] * x, f->series);
        avg_inside(f, 1, xi, out);
    }
    for (l = 0; l < leaves; l++) {
        const double value = density * avg_factor_at(f, leaf[l], 0, to, 0);
        out[l] *= value, out[leaves + l] *= fabs(value), out[2 * leaves + l] *= fabs(value);
        out[3 * leaves + l] *= fabs(value);
    }
}

/* Sums over one panel: of what `avg_inside` gives, its last two Legendre coefficients, and the error that they tell. */
#define AVG_SUMS 7
static void avg_panel(avg_field *f, double low, double high, double *sums, double *out)
{
    const int leaves = f->group->count;
    const double middle = 0.5 * (low + high), half = 0.5 * (high - low);
    int k, side, l, n;
    memset(sums, 0, AVG_SUMS * (size_t)leaves * sizeof(double));
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
                double *own = sums + AVG_SUMS * l;
                own[0] += weight * out[l];
                own[1] += weight * out[leaves + l];
                own[2] += weight * out[2 * leaves + l];
                own[3] += weight * out[3 * leaves + l];
                own[4] += 10.5 * weight * two * out[l];
                own[5] += 11.5 * weight * one * out[l];
            }
        }
    for (l = 0; l < leaves; l++) {
        double *own = sums + AVG_SUMS * l;
        const double tail = fmax(fabs(own[4]), fabs(own[5]));
        own[6] = own[1] > 0 ? own[1] * pow(tail / own[1], AVG_OUTER_POWER) : 0;
    }
}

/* Room for coefficients of the last input about all means that it may have. */
static void avg_lay_table(avg_field *f)
{
    const size_t row = (size_t)f->set->columns * (f->terms + 3);
    double reach = 0, low, panels;
    size_t k;
    int i;
    f->panels = 0;
    if (!f->paired || f->rank < 2) return;
    for (i = 0; i < f->rank; i++) reach += fabs(f->root[f->size - 1][i]) * f->reach;
    f->width = 0.5 * f->spread[1];
    low = floor((f->mean[f->size - 1] - reach) / f->width);
    panels = ceil((f->mean[f->size - 1] + reach) / f->width) - low + 1;
    if (!(panels * (double)(AVG_CHEBYSHEV * row + 1) <= AVG_KINKED_TABLE) || !(fabs(low) < 1e9)) return;
    f->low = (long)low;
    f->panels = (size_t)panels;
    for (k = 0; k < f->panels; k++) f->table[k * (AVG_CHEBYSHEV * row + 1)] = 0;
}

/* Rounding, which is larger where inputs with little noise are compared with places far from zero. */
static double avg_rounding(const avg_field *f)
{
    double most = 0;
    int k, e, i;
    for (k = 0; k < f->size; k++) {
        double whole = 0, least = HUGE_VAL;
        for (i = 0; i < f->size; i++) {
            const double own = fabs(f->root[k][i]);
            whole = hypot(whole, own);
            if (own > 0) least = fmin(least, own);
        }
        for (e = 0; e < AVG_PLACES; e++)
            if (fabs(avg_places[e][0] - f->mean[k]) < f->reach * whole)
                most = fmax(most, fabs(avg_places[e][0]) / least);
    }
    return 5e-16 + 0.25 * DBL_EPSILON * most;
}

/* Look as far out as there is anything of the columns, where functions have kinks beyond the reach: what is zero up to
 * there may be all that an average is made of behind. */
static void avg_look_out(avg_field *f)
{
    const int columns = f->set->columns;
    int k, e, c, i;
    for (k = 0; k < f->size; k++) {
        double spread = 0, most[AVG_COLUMNS] = {0}, x[AVG_BLOCK], t;
        int far = 0, p;
        for (i = 0; i < 4; i++) spread = hypot(spread, f->root[k][i]);
        for (e = 0; e < AVG_KINKS; e++) far |= fabs(avg_kinks[e] - f->mean[k]) > f->reach * spread;
        for (t = 0; far && t < AVG_FARTHEST; t += 0.25 * (AVG_BLOCK / 2)) { /* from the middle outwards */
            for (p = 0; p < AVG_BLOCK; p++) x[p] = f->mean[k] + (p % 2 ? 1 : -1) * spread * (t + 0.25 * (p / 2));
            avg_columns(f->set, AVG_BLOCK, x, f->lines, f->column[0]);
            for (c = 0; c < columns; c++)
                for (p = 0; p < AVG_BLOCK; p++) {
                    const double at = t + 0.25 * (p / 2), size = fabs(f->column[0][(size_t)c * AVG_BLOCK + (size_t)p]);
                    const double left = size <= DBL_MAX ? size * avg_density(at) : 0;
                    most[c] = fmax(most[c], left);
                    if (left > 1e-18 * most[c]) f->reach = fmax(f->reach, fmin(at + 0.25, AVG_FARTHEST));
                }
        }
    }
}

/* Averages of the leaves of a field, their errors and scales; the density of the deltas is `factor`. 0 where functions
 * hardly ever differ from zero: a series in Hermite coefficients is then long, and as exact as root mean squares. */
static int avg_adapt(avg_field *f, double factor, double *values, double *errors, double *scales)
{
    avg_call *call = f->call;
    const int leaves = f->group->count;
    double *sums = call->space, *total = sums + (size_t)AVG_PANELS * AVG_SUMS * (size_t)leaves;
    double *out = total + 4 * leaves;
    double low[AVG_PANELS], high[AVG_PANELS], worst[AVG_PANELS], cuts[AVG_CUTS], error = 0;
    int panels, count, k, l, outermost, nothing, vouched = 1;
    avg_look_out(f);
    if (f->rank == 0) {
        double none[4] = {0, 0, 0, 0};
        avg_inside(f, 0, none, total);
    } else {
    again:
        avg_lay_table(f);
        count = avg_direction(f, 0, f->mean, cuts);
        for (panels = 0; panels + 1 < count; panels++) {
            low[panels] = cuts[panels], high[panels] = cuts[panels + 1];
            avg_panel(f, low[panels], high[panels], sums + (size_t)panels * AVG_SUMS * (size_t)leaves, out);
        }
        for (;;) {
            int widest = 0, part;
            for (l = 0; l < 4 * leaves; l++) total[l] = 0;
            for (k = 0; k < panels; k++)
                for (l = 0; l < leaves; l++)
                    for (part = 0; part < 4; part++)
                        total[part * leaves + l] += sums[(size_t)(k * leaves + l) * AVG_SUMS + (size_t)part];
            for (k = 0; k < panels; k++) {
                worst[k] = 0;
                for (l = 0; l < leaves; l++) {
                    const double *own = sums + (size_t)(k * leaves + l) * AVG_SUMS;
                    if (total[leaves + l] > 0) worst[k] = fmax(worst[k], own[6] / total[leaves + l]);
                }
                if (worst[k] > worst[widest]) widest = k;
            }
            if (worst[widest] <= AVG_RESOLVED || panels == AVG_PANELS || high[widest] - low[widest] < 1e-9) break;
            low[panels] = 0.5 * (low[widest] + high[widest]), high[panels] = high[widest], high[widest] = low[panels];
            avg_panel(f, low[widest], high[widest], sums + (size_t)widest * AVG_SUMS * (size_t)leaves, out);
            avg_panel(f, low[panels], high[panels], sums + (size_t)panels * AVG_SUMS * (size_t)leaves, out);
            panels++;
        }
        for (outermost = 0, k = -1; k <= 1; k += 2) {
            avg_outside(f, k * f->reach, out);
            for (l = 0; l < leaves; l++)
                outermost |= fmax(out[leaves + l], f->paired ? 0 : 0.1 * total[3 * leaves + l]) > 1e-15 * total[leaves + l];
        }
        for (nothing = 0, l = 0; l < leaves; l++) nothing |= !(total[leaves + l] > 0);
        if ((outermost || nothing) && f->reach < AVG_FARTHEST - 1) {
            f->reach = nothing ? AVG_FARTHEST : f->reach + 2; /* behind it is what underflows */
            goto again;
        }
        for (k = 0; k < panels; k++) error += worst[k];
    }
    for (l = 0; l < leaves; l++) {
        const double size = total[leaves + l];
        const double scale = f->paired ? fmin(size, fmax(fabs(total[l]), total[3 * leaves + l])) : size;
        const double relative = error + pow(total[2 * leaves + l] / size, AVG_INNER_POWER) + avg_rounding(f) +
                                (f->paired ? AVG_CONVERGED : 0);
        if (f->paired && !(size < AVG_RARE * scale)) vouched = 0;
        if (f->rank == 0 && !(relative * size <= AVG_DOUBTED * scale)) vouched = 0;
        values[l] = size <= DBL_MAX ? factor * total[l] : (double)NAN;
        scales[l] = factor * scale;
        errors[l] = f->crowded ? HUGE_VAL : size > 0 ? relative * factor * size : 0;
    }
    return vouched;
}
