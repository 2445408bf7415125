/* Averages of piecewise analytic functions: panels that end at the kinks, in standard normal variables z = mean + L xi.
 * The outermost direction is cut in halves until it is resolved. */

/* 16 points of Gauss and Legendre on one side of zero: node, weight, weight in a rule of lower degree on them. */
static const double avg_legendre16[8][3] = {
    {0.095012509837637440185, 0.18945061045506849629, 0.160987186760732363},
    {0.28160355077925891323, 0.18260341504492358887, 0.24705625438750973518},
    {0.45801677765722738634, 0.16915651939500253819, 0.11709609054300632579},
    {0.61787624440264374845, 0.14959598881657673208, 0.14675805291062257065},
    {0.7554044083550030339, 0.12462897125553387205, 0.18982211271571619443},
    {0.86563120238783174388, 0.09515851168249278481, 0},
    {0.94457502307323257608, 0.062253523938647892863, 0.13828030268241281096},
    {0.9894009349916499326, 0.027152459411754094852, 0}};

/* Most panels of the outermost direction, of an inner one, and nodes of an inner one. */
#define AVG_PANELS 320
#define AVG_CUTS 320
#define AVG_PANEL_NODES (16 * AVG_CUTS)
/* Widest panel, in standard deviations. */
#define AVG_WIDEST 2.2
/* Kinks farther out than this need a panel of their own. */
#define AVG_FAR 5.0
/* Most terms of a series in Hermite coefficients, and numbers in a table of them. */
#define AVG_LONG 96
#define AVG_KINKED_TABLE 600000
#define AVG_CHEBYSHEV 12
/* Conditional variances below this fraction of a variance: no series. */
#define AVG_THIN 1e-8
/* The relative error of the rule of degree 31 from its difference from one of degree 11, and that of a panel of the
 * outermost direction, of degree 23, from its coefficients of degree 10 and 11. */
#define AVG_INNER_POWER 2.0
#define AVG_OUTER_POWER 1.5
/* Inputs that fluctuate by this fraction of what a direction moves them are almost functions of it. */
#define AVG_SMEARED 0.7
/* By how much the root of mean squares may exceed the mean of absolute values in a series of two inputs, and what the
 * series may lack of the former. */
#define AVG_RARE 1e3
#define AVG_CONVERGED 1e-14
/* A series of two inputs alone that may be wrong by more than this is left to panels over both. */
#define AVG_DOUBTED 3e-10
/* Nothing is looked for farther out: soon after the density underflows. */
#define AVG_FARTHEST 38.0
/* A panel is resolved when it may be wrong by this fraction of every average. */
#define AVG_RESOLVED 5e-12

/* One Gaussian: the free inputs, sorted by the direction that they need last. */
typedef struct {
    avg_call *call;
    const avg_set *set;
    const avg_leaves *group;
    int size, rank, paired; /* paired: the last two inputs are averaged as a series, rank counts the other directions */
    int slot[4], level[4];  /* level: directions that the input needs */
    double mean[4], root[4][4], ratio, spread[2], reach;
    size_t terms;
    int crowded;            /* there were more cuts than room for them */
    double *cut[4], *node[4], *weight[4], *column[4], *inner[4]; /* weight: the rule's, then the one of lower degree */
    double *lines, *series, *table;
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
static void avg_cut(avg_field *f, double *cuts, int *count, double value)
{
    const double first = cuts[0], last = cuts[*count - 1];
    int place, k;
    if (!(value > first && value < last)) return;
    place = avg_compare(cuts, *count, value);
    if (cuts[place] - value < 1e-13 || value - cuts[place - 1] < 1e-13) return;
    if (*count >= AVG_CUTS - 1) {
        f->crowded = 1;
        return;
    }
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

/* Cuts around a place where something changes over a width: in panels that grow away from it. What the normal density
 * has smeared is soon as good as constant. */
static void avg_ladder(avg_field *f, double *cuts, int *count, double place, double width, int smeared)
{
    static const double steps[4] = {1.2, 2.7, 5, 9};
    double step = width;
    int k;
    if (width == 0 || smeared) avg_cut(f, cuts, count, place);
    for (k = 0; k < 4 && smeared; k++) {
        avg_cut(f, cuts, count, place + steps[k] * width);
        avg_cut(f, cuts, count, place - steps[k] * width);
    }
    for (; !smeared && step > 0 && step < AVG_WIDEST; step *= 4) {
        avg_cut(f, cuts, count, place + step);
        avg_cut(f, cuts, count, place - step);
    }
}

/* Cuts where mean + slope * x meets an edge; `smear` spreads what is seen of it. */
static void avg_edge_cuts(avg_field *f, double *cuts, int *count, double mean, double slope, double smear)
{
    int e;
    if (slope == 0) return;
    for (e = 0; e < AVG_EDGES && smear == 0; e++) avg_cut(f, cuts, count, (avg_edges[e] - mean) / slope);
    for (e = 0; e < AVG_KINKS && smear == 0; e++) { /* behind a kink far out the density falls as exp(-|x| t) */
        const double x = (avg_kinks[e] - mean) / slope;
        if (fabs(x) > AVG_FAR && fabs(x) < f->reach) avg_cut(f, cuts, count, x + 6 / x);
    }
    for (e = 0; e < AVG_PLACES && smear > 0; e++) {
        const double width = hypot(smear, avg_places[e][1]) / fabs(slope);
        if (width < AVG_WIDEST)
            avg_ladder(f, cuts, count, (avg_places[e][0] - mean) / slope, width, avg_places[e][1] < smear);
    }
}

/* Cuts where places of two inputs meet in the direction after j. */
static void avg_meetings(avg_field *f, int j, const double *mean, double *cuts, int *count)
{
    double smear[4];
    int i, k, e, g;
    for (k = 0; k < f->size; k++)
        for (smear[k] = 0, i = j + 2; i < f->size; i++) smear[k] = hypot(smear[k], f->root[k][i]);
    for (k = 0; k < f->size; k++)
        for (i = 0; i < k; i++) {
            const double a = f->root[k][j + 1], b = f->root[i][j + 1];
            const double one = f->root[k][j] * b, two = f->root[i][j] * a, slope = fabs(one - two);
            if (f->level[i] < j + 2 || f->level[k] < j + 2 || !(slope > 1e-9 * (fabs(one) + fabs(two)))) continue;
            if (smear[k] > AVG_SMEARED * fabs(a) || smear[i] > AVG_SMEARED * fabs(b)) continue;
            for (e = 0; e < AVG_PLACES; e++)
                for (g = 0; g < AVG_PLACES; g++) {
                    const double *x = avg_places[e], *y = avg_places[g];
                    const double width = (hypot(smear[k], x[1]) * fabs(b) + hypot(smear[i], y[1]) * fabs(a)) / slope;
                    if (width < AVG_WIDEST)
                        avg_ladder(f, cuts, count, ((x[0] - mean[k]) * b - (y[0] - mean[i]) * a) / (one - two), width,
                                   x[1] + y[1] == 0 && width > 0);
                }
        }
}

/* Panels of direction j, given the means of all inputs; how many ends they have. */
static int avg_direction(avg_field *f, int j, const double *mean, double *cuts)
{
    int count = avg_plain_cuts(cuts, f->reach), k, i;
    for (k = 0; k < f->size; k++) {
        double smear = 0;
        for (i = j + 1; i < f->size; i++) smear = hypot(smear, f->root[k][i]);
        if (f->level[k] > j && smear < AVG_SMEARED * fabs(f->root[k][j]))
            avg_edge_cuts(f, cuts, &count, mean[k], f->root[k][j], smear);
    }
    if (j + 2 <= f->rank) avg_meetings(f, j, mean, cuts, &count);
    return count;
}

/* Nodes and weights (times the density, of both rules) of all panels; how many. */
static size_t avg_panel_nodes(const double *cuts, int count, double *node, double *weight)
{
    size_t n = 0;
    int panel, k, side;
    for (panel = 0; panel + 1 < count; panel++) {
        const double middle = 0.5 * (cuts[panel] + cuts[panel + 1]), half = 0.5 * (cuts[panel + 1] - cuts[panel]);
        for (k = 0; k < 8; k++)
            for (side = -1; side <= 1; side += 2, n++) {
                double density;
                node[n] = middle + side * half * avg_legendre16[k][0];
                density = half * avg_density(node[n]);
                weight[n] = density * avg_legendre16[k][1];
                weight[AVG_PANEL_NODES + n] = density * avg_legendre16[k][2];
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
