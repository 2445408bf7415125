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
