/* Leaves of a set: the Gaussian of each group, its inputs in order, and what its deltas hold fixed. */

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
    f->terms = 8 * (size_t)ceil(log(AVG_CONVERGED) / log(fmax(least, 1e-2)) / 8);
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

/* Two inputs, half the angle between them to either side of the first direction: however close they are, nothing
 * happens in the last direction but where they meet their edges, and in the other but where two edges meet. gap: the
 * determinant. */
static void avg_turn(avg_field *f, const double covariance[4][4], long double gap, const int *slots)
{
    const double both = covariance[0][1], half = 0.5 * atan2((double)sqrtl(gap), fabs(both));
    int i;
    memset(f->root, 0, sizeof f->root);
    for (i = 0; i < 2; i++) {
        const double spread = i && both < 0 ? -sqrt(covariance[i][i]) : sqrt(covariance[i][i]);
        f->root[i][0] = (i ? -spread : spread) * sin(half), f->root[i][1] = spread * cos(half);
        f->level[i] = 2, f->slot[i] = slots[i];
    }
    f->rank = 2, f->paired = 0, f->terms = 0;
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

/* Values of all columns at a point where an input is held; NaN for those that jump there: whose values on the two sides
 * do not approach each other. */
static void avg_held(const avg_field *f, double place, double *held)
{
    double x[4], *columns = f->column[0];
    int e, c, kink = 0;
    x[0] = x[1] = x[2] = x[3] = place;
    for (e = 0; e < AVG_KINKS; e++)
        if (fabs(place - avg_kinks[e]) <= 1e-12 * fabs(avg_kinks[e])) {
            const double away = 4 * DBL_EPSILON * fmax(fabs(avg_kinks[e]), DBL_MIN / DBL_EPSILON);
            x[0] = avg_kinks[e] - away, x[1] = avg_kinks[e] + away, kink = 1;
            x[2] = avg_kinks[e] - 1024 * away, x[3] = avg_kinks[e] + 1024 * away;
        }
    avg_columns(f->set, 4, x, f->lines, columns);
    for (c = 0; c < f->set->columns; c++) {
        const double *y = columns + (size_t)c * AVG_BLOCK, gap = fabs(y[0] - y[1]);
        const int jumps = kink && gap > 1e-12 * (fabs(y[0]) + fabs(y[1])) && fabs(y[2] - y[3]) < 8 * gap;
        held[c] = jumps ? (double)NAN : 0.5 * (y[0] + y[1]);
    }
}

#define AVG_KINKED_ROOM \
    (AVG_KINKED_TABLE + 4 * (AVG_CUTS + 3 * AVG_PANEL_NODES + AVG_COLUMNS * (AVG_BLOCK + 1) + 5 * AVG_LEAVES) + \
     2 * AVG_COLUMNS * (AVG_LONG + 3) + AVG_LEAVES * (7 * AVG_PANELS + 8))

/* All leaves of a set. */
static void avg_leaf_values(avg_call *call, const avg_set *set, const avg_conditions *c, const avg_values *values)
{
    double *const space = call->space;
    int g, i, j, k, l;
    for (g = 0; g < set->groups; g++) {
        const avg_leaves *group = &set->group[g];
        const long double(*given)[4] = (const long double(*)[4])c->given[group->mask];
        double mean[4], factor, loose, covariance[4][4], held[4][AVG_COLUMNS], *own = values->value + group->first;
        double *error = values->error + group->first, *scale = values->size + group->first;
        const int met = avg_condition(c, group->mask, group->place, mean, &factor, &loose);
        int slots[4], fixed[4], holds = 0;
        avg_field f;
        double *room = space;
        f.call = call, f.set = set, f.group = group, f.size = 0, f.crowded = 0, f.panels = 0, f.reach = 8.5;
        f.width = 1, f.low = 0, f.ratio = f.spread[0] = f.spread[1] = 0;
        for (l = 0; l < group->count; l++) own[l] = met < 0 ? (double)NAN : 0, error[l] = scale[l] = 0;
        if (met != 1 || factor == 0) continue;
        for (i = 0; i < 4; i++) {
            f.cut[i] = room, f.node[i] = f.cut[i] + AVG_CUTS, f.weight[i] = f.node[i] + AVG_PANEL_NODES;
            f.column[i] = f.weight[i] + 2 * AVG_PANEL_NODES, f.inner[i] = f.column[i] + AVG_COLUMNS * AVG_BLOCK;
            room = f.inner[i] + 5 * AVG_LEAVES;
        }
        f.lines = room, f.series = f.lines + (size_t)AVG_LINES * AVG_BLOCK;
        f.table = f.series + (size_t)2 * AVG_COLUMNS * (AVG_LONG + 3);
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
            for (l = 0; l < group->count; l++) own[l] = scale[l] = factor;
        else {
            const long double gap =
                f.size == 2 ? c->given[group->mask | 1 << slots[0]][slots[1]][slots[1]] * given[slots[0]][slots[0]] : 0;
            if (f.size > 1 && avg_pair_off(&f, (const double(*)[4])covariance, slots)) {
            } else if (gap > 0)
                avg_turn(&f, (const double(*)[4])covariance, gap, slots);
            else
                avg_nest_off(&f, (const double(*)[4])covariance, slots);
            if (f.rank > 3) { /* four nested directions take minutes */
                for (l = 0; l < group->count; l++) own[l] = (double)NAN;
                call->refused = 1;
                avg_raise(call, HUGE_VAL);
                continue;
            }
            for (k = 0; k < f.size; k++) f.mean[k] = mean[f.slot[k]];
            if (!avg_adapt(&f, factor, own, error, scale) && f.size < 4) {
                if (gap > 0)
                    avg_turn(&f, (const double(*)[4])covariance, gap, slots);
                else
                    avg_nest_off(&f, (const double(*)[4])covariance, slots);
                for (k = 0; k < f.size; k++) f.mean[k] = mean[f.slot[k]];
                avg_adapt(&f, factor, own, error, scale);
            }
        }
#if AVG_LOSSES
        for (k = 0; k < f.size; k++) loose += avg_loss(call, (double)given[slots[k]][slots[k]] + mean[slots[k]] * mean[slots[k]]);
#endif
        for (l = 0; l < group->count; l++) {
            error[l] += loose * scale[l];
            for (k = 0; k < holds; k++) {
                const double other = held[fixed[k]][set->leaf[group->first + l][fixed[k]]];
                own[l] *= other, error[l] *= fabs(other), scale[l] *= fabs(other);
            }
        }
    }
    call->space = space;
}

#if AVG_SMOOTH
/* The same for smooth functions, the errors raised. */
static void avg_panelled(avg_call *call, const avg_set *set, const avg_conditions *c, double *value)
{
    double *const space = call->space;
    const avg_values values = {value, space, space + set->leaves};
    int l;
    call->space += 2 * set->leaves;
    avg_leaf_values(call, set, c, &values);
    for (l = 0; l < set->leaves; l++)
        if (values.size[l] > 0) avg_raise(call, values.error[l] / values.size[l]);
    call->space = space;
}
#endif
