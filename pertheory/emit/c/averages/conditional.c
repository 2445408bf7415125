/* Averages over three and four inputs. Given the others, the last two are a Gaussian pair of some means, spreads and a
 * correlation, whose average is a short series in Hermite coefficients about the means (Mehler's formula). */

/* Conditional variances below this fraction of a variance: the inputs are left to nested sums. */
#define AVG_SINGULAR 1e-10
/* What the series may lack, relative to the scale. */
#define AVG_SERIES 1e-12
/* Most terms of the series, and of nodes of the inner rules. */
#define AVG_SHORT 48
#define AVG_INNER 1024
/* Most points of the outer directions. */
#define AVG_MOST_OUTER 1e5
/* By how much roots of mean squares may exceed the scale; where they do, nested sums are more exact. */
#define AVG_BEYOND 1e3
/* Numbers in a table of coefficients about many means. */
#define AVG_TABLE 400000

static int avg_cholesky(int size, const double *covariance, const int *order, double root[4][4])
{
    int i, j, k;
    memset(root, 0, 16 * sizeof(double));
    for (i = 0; i < size; i++)
        for (j = 0; j <= i; j++) {
            double left = covariance[order[i] * size + order[j]];
            for (k = 0; k < j; k++) left -= root[i][k] * root[j][k];
            if (i == j) {
                if (!(left > AVG_SINGULAR * covariance[order[i] * size + order[i]])) return 0;
                root[i][i] = sqrt(left);
            } else
                root[i][j] = left / root[j][j];
        }
    return 1;
}

/* Factor a covariance with the least correlated pair (given the others) last; 0 if it is (nearly) singular. The outer
 * directions are turned so that the mean of the third input depends on the first direction alone. */
static int avg_split(int size, const double *covariance, int *order, double root[4][4])
{
    double least = 2, sine, cosine, length, trial[4][4];
    int i, c, d, try[4];
    for (c = 0; c < size; c++)
        for (d = 0; d < size; d++) {
            int n = 0;
            double partial;
            if (c == d) continue;
            for (i = 0; i < size; i++)
                if (i != c && i != d) try[n++] = i;
            try[n] = c, try[n + 1] = d;
            if (!avg_cholesky(size, covariance, try, trial)) continue;
            partial = fabs(trial[size - 1][size - 2]) / hypot(trial[size - 1][size - 2], trial[size - 1][size - 1]);
            /* the last one is evaluated most often: let it be the one with the smaller spread */
            if (partial > least * (1 + 1e-9)) continue;
            if (partial >= least * (1 - 1e-9) &&
                trial[size - 2][size - 2] < hypot(trial[size - 1][size - 2], trial[size - 1][size - 1]))
                continue;
            least = partial;
            memcpy(order, try, sizeof try);
            memcpy(root, trial, sizeof trial);
        }
    if (least > 1) return 0;
    length = size == 4 ? hypot(root[2][0], root[2][1]) : 0;
    if (length > 0) {
        cosine = root[2][0] / length, sine = root[2][1] / length;
        for (i = 0; i < size; i++) {
            const double a = root[i][0], b = root[i][1];
            root[i][0] = cosine * a + sine * b, root[i][1] = cosine * b - sine * a;
        }
        root[2][1] = 0;
    }
    return 1;
}

/* A rule for the last two inputs: nodes, and weights times normalised Hermite polynomials. */
typedef struct {
    double spread;
    size_t nodes;
    double *node, *weight; /* weight: AVG_SHORT numbers for each node */
} avg_inner;

static double avg_inner_nodes(const avg_call *call, double spread)
{
    return (call->reach + 1.5) * (avg_frequency(call, spread) + 0.5 * sqrt((double)AVG_SHORT)) / AVG_PI + 3;
}

static void avg_inner_rule(const avg_call *call, avg_inner *rule, size_t terms, int every)
{
    const double step = 2 * AVG_PI / (avg_frequency(call, rule->spread) + 0.5 * sqrt((double)AVG_SHORT)) * every;
    const long half = (long)ceil((call->reach + 1.5) / step);
    long k;
    rule->nodes = 0;
    for (k = -half; k <= half && rule->nodes < AVG_INNER; k++) {
        double *row = rule->weight + rule->nodes * AVG_SHORT;
        const double x = (double)k * step;
        size_t n;
        rule->node[rule->nodes++] = x;
        row[0] = step * avg_density(x);
        for (n = 1; n < terms; n++)
            row[n] = (x * row[n - 1] - (n > 1 ? sqrt((double)(n - 1)) * row[n - 2] : 0)) / sqrt((double)n);
    }
}

/* Coefficients of all columns about a mean, AVG_SHORT places for each, and the mean squares and sizes. */
static void avg_about(avg_call *call, const avg_set *set, const avg_inner *rule, double mean, size_t terms,
                      double *series, double *squares)
{
    double *x = call->space, *lines = x + AVG_BLOCK, *columns = lines + (size_t)AVG_LINES * AVG_BLOCK;
    size_t first, k, n, m;
    int c;
    for (c = 0; c < set->columns; c++) {
        squares[c] = squares[set->columns + c] = 0;
        for (n = 0; n < terms; n++) series[(size_t)c * AVG_SHORT + n] = 0;
    }
    for (first = 0; first < rule->nodes; first += AVG_BLOCK) {
        const size_t count = rule->nodes - first < AVG_BLOCK ? rule->nodes - first : AVG_BLOCK;
        const double *weights = rule->weight + first * AVG_SHORT;
        for (k = 0; k < count; k++) x[k] = mean + rule->spread * rule->node[first + k];
        avg_columns(set, count, x, lines, columns);
        for (c = 0; c < set->columns; c++) {
            const double *value = columns + (size_t)c * AVG_BLOCK;
            for (k = 0; k < count; k++) {
                squares[c] += weights[k * AVG_SHORT] * value[k] * value[k];
                squares[set->columns + c] += weights[k * AVG_SHORT] * fabs(value[k]);
            }
            for (n = 0; n < terms; n += 8) {
                double s[8] = {0, 0, 0, 0, 0, 0, 0, 0}, *own = series + (size_t)c * AVG_SHORT + n;
                for (k = 0; k < count; k++)
                    for (m = 0; m < 8; m++) s[m] += weights[k * AVG_SHORT + n + m] * value[k];
                for (m = 0; m < 8; m++) own[m] += s[m];
            }
        }
    }
}

typedef struct {
    int size, order[4];
    double root[4][4], ratio;
    double step[2];
    long half[2], stride[2]; /* stride: the mean of the last input is unit * (stride . node numbers) */
    double unit;
    avg_inner inner[2];
} avg_frame;

/* Outer steps of the two directions, such that the means of the last input on the grid are few. */
static void avg_lattice(avg_frame *f, double reach)
{
    const int last = f->size - 1;
    double one, two;
    int j;
    f->stride[0] = 1, f->stride[1] = 0, f->unit = 0;
    if (f->size == 4) {
        one = fabs(f->root[last][0]) * f->step[0], two = fabs(f->root[last][1]) * f->step[1];
        if (one > 0 && two > 0) {
            const int first = one >= two;
            const double ratio = first ? one / two : two / one, down = floor(ratio), up = ceil(ratio);
            const double whole = ratio / down < up / ratio ? down : up;
            /* with `down` the larger one shrinks, with `up` the smaller one */
            double *large = &f->step[first ? 0 : 1], *small = &f->step[first ? 1 : 0];
            if (whole < 1e4) {
                if (whole == down)
                    *large *= down / ratio;
                else
                    *small *= ratio / up;
                f->stride[first ? 0 : 1] = (long)whole, f->stride[first ? 1 : 0] = 1;
                f->unit = first ? fabs(f->root[last][1]) * f->step[1] : fabs(f->root[last][0]) * f->step[0];
                for (j = 0; j < 2; j++)
                    if (f->root[last][j] < 0) f->stride[j] = -f->stride[j];
            }
        }
    }
    for (j = 0; j < f->size - 2; j++) f->half[j] = avg_half(reach, f->step[j]);
}

/* The sums over the outer directions, with every node or every second one: sums of the leaves, and where `sizes` is not
 * null those of roots of mean squares, what of these stands at the ends, sums of sizes were the last two inputs
 * independent, and the relative sizes of the terms of the series. */
static void avg_frame_sum(avg_call *call, const avg_set *set, const avg_frame *f, int every, size_t terms, double *sums,
                          double *sizes, double *ends, double *apart, double *relative)
{
    const int outer = f->size - 2, columns = set->columns, leaves = set->leaves;
    const size_t wide = (size_t)columns * AVG_SHORT, row = wide + 2 * (size_t)columns;
    double *const space = call->space;
    double *third = space, *square = third + wide, *heads = square + 2 * columns;
    double *joined = heads + (size_t)2 * AVG_COLUMNS * AVG_BLOCK;
    double *weight = joined + (size_t)columns * (size_t)columns * AVG_BLOCK;
    double *fourth = weight + AVG_BLOCK, *table, powers[AVG_SHORT];
    const long reach = ((f->stride[0] < 0 ? -f->stride[0] : f->stride[0]) * f->half[0] +
                        (f->stride[1] < 0 ? -f->stride[1] : f->stride[1]) * f->half[1]) / every;
    const int tabled = outer == 2 && f->unit > 0 && (double)(2 * reach + 1) * (double)row <= AVG_TABLE;
    size_t n, m, p;
    long i, j;
    int c, d, l, r, at_end;
    table = fourth + row;
    call->space = table + (tabled ? (size_t)(2 * reach + 1) * row : 0);
    if (tabled) /* rows that are not filled in have a negative mean square */
        for (i = 0; i <= 2 * reach; i++) table[(size_t)i * row + wide] = -1;
    powers[0] = 1;
    for (n = 1; n < AVG_SHORT; n++) powers[n] = powers[n - 1] * f->ratio;
    for (l = 0; l < leaves; l++) sums[l] = 0;
    if (sizes) {
        for (l = 0; l < leaves; l++) sizes[l] = ends[l] = apart[l] = 0;
        for (n = 0; n < AVG_SHORT; n++) relative[n] = 0;
    }
    for (i = -f->half[0]; i <= f->half[0]; i += every) {
        const double x = (double)i * f->step[0], first = every * f->step[0] * avg_density(x);
        avg_about(call, set, &f->inner[0], f->root[outer][0] * x, terms, third, square);
        for (c = 0; c < columns; c++)
            for (n = 0; n < terms; n++) third[(size_t)c * AVG_SHORT + n] *= powers[n];
        for (j = -f->half[1]; j <= f->half[1];) {
            double y[AVG_BLOCK], *xs = call->space, *lines = xs + AVG_BLOCK;
            long place[AVG_BLOCK];
            size_t count = 0;
            for (; count < AVG_BLOCK && j <= f->half[1]; j += every, count++) {
                y[count] = (double)j * f->step[1];
                weight[count] = outer < 2 ? first : first * every * f->step[1] * avg_density(y[count]);
                place[count] = reach + (f->stride[0] * i + f->stride[1] * j) / every;
            }
            for (r = 0; r < outer; r++) {
                for (p = 0; p < count; p++) xs[p] = f->root[r][0] * x + (outer < 2 ? 0 : f->root[r][1] * y[p]);
                avg_columns(set, count, xs, lines, heads + (size_t)r * AVG_COLUMNS * AVG_BLOCK);
            }
            for (p = 0; p < count; p++) {
                double *own = tabled ? table + (size_t)place[p] * row : fourth;
                if (!tabled || own[wide] < 0) {
                    const double mean =
                        tabled ? (double)(place[p] - reach) * f->unit * every
                               : f->root[outer + 1][0] * x + (outer < 2 ? 0 : f->root[outer + 1][1] * y[p]);
                    avg_about(call, set, &f->inner[1], mean, terms, own, own + wide);
                }
                for (c = 0; c < columns; c++)
                    for (d = 0; d < columns; d++) {
                        const double *a = third + (size_t)c * AVG_SHORT, *b = own + (size_t)d * AVG_SHORT;
                        double s[8] = {0, 0, 0, 0, 0, 0, 0, 0};
                        for (n = 0; n < terms; n += 8)
                            for (m = 0; m < 8; m++) s[m] += a[n + m] * b[n + m];
                        joined[(size_t)(c * columns + d) * AVG_BLOCK + p] =
                            ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
                    }
                if (sizes == NULL) continue;
                at_end = i == f->half[0] || i == -f->half[0] || (outer > 1 && fabs(y[p]) > ((double)f->half[1] - 0.5) * f->step[1]);
                for (l = 0; l < leaves; l++) {
                    const short *leaf = set->leaf[l];
                    double head = weight[p] * fabs(heads[(size_t)leaf[f->order[0]] * AVG_BLOCK + p]);
                    if (outer > 1) head *= fabs(heads[(size_t)(AVG_COLUMNS + leaf[f->order[1]]) * AVG_BLOCK + p]);
                    c = leaf[f->order[outer]], d = leaf[f->order[outer + 1]];
                    apart[l] += head * square[columns + c] * own[wide + (size_t)(columns + d)];
                    head *= sqrt(square[c] * own[wide + (size_t)d]);
                    sizes[l] += head, ends[l] += at_end ? head : 0;
                }
                for (n = 0; n < terms; n++) {
                    double most = 0, next = 0;
                    for (c = 0; c < columns; c++) {
                        const size_t at = (size_t)c * AVG_SHORT + n;
                        const double one = square[c], two = own[wide + (size_t)c];
                        if (one > 0) most = fmax(most, third[at] * third[at] / one);
                        if (two > 0) next = fmax(next, own[at] * own[at] / two);
                    }
                    relative[n] += weight[p] * sqrt(most * next);
                }
            }
            for (l = 0; l < leaves; l++) {
                const short *leaf = set->leaf[l];
                const double *one = heads + (size_t)leaf[f->order[0]] * AVG_BLOCK;
                const double *two = outer > 1 ? heads + (size_t)(AVG_COLUMNS + leaf[f->order[1]]) * AVG_BLOCK : NULL;
                const double *pair =
                    joined + (size_t)(leaf[f->order[outer]] * columns + leaf[f->order[outer + 1]]) * AVG_BLOCK;
                double s = 0;
                for (p = 0; p < count; p++) s += weight[p] * one[p] * pair[p] * (two ? two[p] : 1.0);
                sums[l] += s;
            }
        }
    }
    call->space = space;
}

/* Averages of the leaves of a set over inputs of positive variances. */
static void avg_conditional(avg_call *call, const avg_set *set, const double *covariance, double *values)
{
    double *const space = call->space;
    double *coarse = space, *sizes = coarse + AVG_LEAVES, *ends = sizes + AVG_LEAVES;
    double *apart = ends + AVG_LEAVES, *relative = apart + AVG_LEAVES;
    const int outer = set->size - 2;
    avg_frame f;
    int attempt, i, j, l;
    f.size = set->size;
    if (!avg_split(f.size, covariance, f.order, f.root)) {
        avg_nested(call, set, covariance, values);
        return;
    }
    f.inner[0].spread = f.root[outer][outer];
    f.inner[1].spread = hypot(f.root[outer + 1][outer], f.root[outer + 1][outer + 1]);
    f.ratio = f.root[outer + 1][outer] / f.inner[1].spread;
    f.inner[0].node = relative + AVG_SHORT + 1;
    f.inner[0].weight = f.inner[0].node + AVG_INNER;
    f.inner[1].node = f.inner[0].weight + AVG_INNER * AVG_SHORT;
    f.inner[1].weight = f.inner[1].node + AVG_INNER;
    call->space = f.inner[1].weight + AVG_INNER * AVG_SHORT;
    for (attempt = 0; attempt < 5; attempt++) {
        double tail = 0, worst = 0, outside = 0, large = 1;
        size_t terms = AVG_SHORT;
        for (j = 0; j < 2; j++) {
            double width = 0;
            f.half[j] = 0, f.step[j] = 1;
            for (i = 0; i < f.size && j < outer; i++) width = fmax(width, fabs(f.root[i][j]));
            if (width > 0) {
                f.step[j] = call->widen * 2 * AVG_PI / avg_frequency(call, width);
                f.half[j] = avg_half(call->reach, f.step[j]);
            }
        }
        avg_lattice(&f, call->reach);
        if ((2.0 * (double)f.half[0] + 1) * (2.0 * (double)f.half[1] + 1) > AVG_MOST_OUTER ||
            !(avg_inner_nodes(call, f.inner[0].spread) <= AVG_INNER) || /* nor where they are no number */
            !(avg_inner_nodes(call, f.inner[1].spread) <= AVG_INNER)) {
            call->space = space;
            avg_nested(call, set, covariance, values);
            return;
        }
        for (j = 0; j < 2; j++) avg_inner_rule(call, &f.inner[j], AVG_SHORT, 2);
        avg_frame_sum(call, set, &f, 2, AVG_SHORT, coarse, sizes, ends, apart, relative);
        for (l = 0; l < set->leaves; l++)
            for (j = 0; j < outer && sizes[l] > 0; j++)
                outside = fmax(outside, ends[l] / (sizes[l] * call->reach * f.step[j]));
        if (outside > 10 * AVG_OUTSIDE && call->reach < 37) { /* the functions grow: there is weight farther out */
            call->reach += 1.5, attempt--;
            continue;
        }
        while (terms > 1 && tail + relative[terms - 1] <= 0.03 * AVG_SERIES) tail += relative[--terms];
        terms = (terms + 7) / 8 * 8;
        for (l = 0; l < set->leaves; l++) /* the scale is at least the average */
            if (sizes[l] > 0) large = fmax(large, sizes[l] / fmax(fabs(coarse[l]), apart[l]));
        if (tail > AVG_SERIES || terms > AVG_SHORT - 8 || !(large < AVG_BEYOND)) {
            call->space = space;
            avg_nested(call, set, covariance, values);
            return;
        }
        for (j = 0; j < 2; j++) avg_inner_rule(call, &f.inner[j], terms, 1);
        avg_frame_sum(call, set, &f, 1, terms, values, NULL, NULL, NULL, NULL);
        for (l = 0; l < set->leaves; l++)
            if (sizes[l] > 0) worst = fmax(worst, fabs(values[l] - coarse[l]) / sizes[l]);
        worst = pow(worst, AVG_TWICE);
        if (worst <= 1e-12 || attempt == 4) {
            avg_raise(call, (worst + outside + tail + AVG_NESTED_ROUNDING(set->size)) * large);
            break;
        }
        call->widen *= 0.8;
    }
    call->space = space;
}
