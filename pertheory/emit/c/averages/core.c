/* Gaussian averages of products of derivatives of the functions of this theory.
 *
 * The inputs of an entry are sorted into distinct ones, equal inputs and inputs of zeros apart; all entries over the
 * same distinct inputs are computed together, as sums of averages ("nodes") that do not depend on the request. */

/* Errors below this fraction of an average's scale are not reported. */
#define AVG_TOLERANCE 1e-9
/* The error of a trapezoid rule is that of twice the step to this power: two, and less where few functions change. */
#define AVG_TWICE 1.8
/* Rounding of functions and sums, relative to the scale. */
#define AVG_ROUNDING 5e-15
#define AVG_PI 3.14159265358979323846
/* The same for nested sums over some inputs. */
#define AVG_NESTED_ROUNDING(size) (16 * AVG_ROUNDING * (1 << ((size) - 1)))
/* Beyond these variances products overflow, and products of variances underflow. */
#define AVG_LARGEST 1e140
#define AVG_SMALLEST 1e-140
/* Residual variances below this fraction of a variance are rounding. */
#define AVG_NULL 1e-13
/* Determinants of two inputs below this fraction of the product of their variances: the inputs are collinear. */
#define AVG_COLLINEAR 3e-15
/* Points at which functions are evaluated together. */
#define AVG_BLOCK 64
/* Pairs of a block that are carried out together: vectors of any machine fit in, and it divides the block. */
#define AVG_TOGETHER 8

/* A product of lines at one input: an earlier product (-1: none) times a line (-1: one). */
typedef struct {
    short parent, line;
} avg_column;

typedef struct {
    double weight;
    short node;
    unsigned char slot, kind;
} avg_term;

/* An average that is made of others; see the other kinds below. */
#define AVG_NODE_STEIN 1
typedef struct {
    unsigned char kind, slot, mask;
    double place[4];
    signed char sign[4];
    int first, count;
} avg_node;

/* Averages of products over one Gaussian: where the inputs of the slots in `mask` sit, and columns of the others. */
typedef struct {
    unsigned char mask;
    double place[4];
    int first, count;
} avg_leaves;

/* weight times a node (-1: one) */
typedef struct {
    double weight;
    int node;
} avg_part;

/* One entry of a request; count < 0: it has no finite value. */
#define AVG_UNDEFINED -2 /* because an input of zeros is at a kink */
typedef struct {
    short request;
    unsigned char slot[8];
    int first, count;
} avg_entry;

/* All averages over `size` distinct inputs. */
typedef struct {
    int size, columns, groups, leaves, nodes, entries, zero_entries;
    const avg_column *column;
    const avg_leaves *group;
    const short (*leaf)[4];
    const avg_node *node;
    const avg_term *term;
    const avg_entry *entry, *zero_entry;
    const avg_part *part;
} avg_set;

typedef struct {
    unsigned char rank, classes, class_size[8];
} avg_request;

/* Averages over n pairs of inputs in closed form: variances a and b, covariances k, gap = a b - k^2, which all have room
 * for a whole block. */
typedef void (*avg_exact_fn)(size_t n, double a, const double *bs, const double *ks, const double *gaps,
                             double *const *out, double *const *errors);

/* Closed forms of one and of two inputs, fast ones without errors; variances at which those of one input are safe. */
typedef struct {
    avg_exact_fn singles, pairs, one, two;
    double low, high;
} avg_forms;

typedef struct {
    int kinked, requests;
    const avg_request *request;
    const avg_set *sets, *full;
    const avg_forms *forms; /* null where a request has no closed form */
    const float *loss;      /* of products at one input, in units of rounding, by variance; null: none to speak of */
} avg_group;

/* What a call works on. */
typedef struct {
    size_t inputs;
    const double *covariance;
    const avg_group *group;
    const avg_set *sets;
    double **target;      /* by request of the group; null if it was not asked for */
    double *space;        /* workspace that is left */
    double worst;         /* largest error estimate */
    double strip, slowest, reach; /* of the trapezoid rules: see avg_frequency */
    double widen;         /* steps of several variables may be wider than those of one */
    int status, refused;  /* refused: some averages are beyond the methods here */
    double *seed;         /* not null: only averages that have no value are written, as random numbers */
} avg_call;

static size_t avg_choose(size_t n, unsigned k)
{
    size_t result = 1;
    unsigned j;
    for (j = 1; j <= k; j++) result = result * (n - k + j) / j;
    return result;
}

/* Where an entry stands in the packed array of its request. */
static size_t avg_place(const avg_request *request, size_t inputs, const size_t *index)
{
    size_t place = 0;
    unsigned c, start = 0;
    if (request->rank == 2) { /* as below: there are many pairs */
        const size_t i = index[0] < index[1] ? index[1] : index[0], j = index[0] < index[1] ? index[0] : index[1];
        return request->classes == 1 ? i * (i + 1) / 2 + j : index[0] * inputs + index[1];
    }
    for (c = 0; c < request->classes; c++) {
        const unsigned m = request->class_size[c];
        size_t sorted[8], own = 0;
        unsigned i, j;
        for (i = 0; i < m; i++) {
            for (j = i; j > 0 && sorted[j - 1] < index[start + i]; j--) sorted[j] = sorted[j - 1];
            sorted[j] = index[start + i];
        }
        for (j = 0; j < m; j++)
            if (sorted[j]) own += avg_choose(sorted[j] + m - j - 1, m - j);
        place = place * avg_choose(inputs + m - 1, m) + own;
        start += m;
    }
    return place;
}

static size_t avg_stored(const avg_request *request, size_t inputs)
{
    size_t total = 1;
    unsigned c;
    for (c = 0; c < request->classes; c++)
        total *= avg_choose(inputs + request->class_size[c] - 1, request->class_size[c]);
    return total;
}

/* The covariance of some inputs. */
static void avg_restrict(const avg_call *call, const size_t *index, int size, double *covariance)
{
    int i, j;
    /* by rows of the later input: earlier ones are neighbours in memory */
    for (i = 0; i < size; i++)
        for (j = 0; j <= i; j++)
            covariance[i * size + j] = covariance[j * size + i] = call->covariance[index[i] * call->inputs + index[j]];
}

static void avg_raise(avg_call *call, double error)
{
    if (!(error <= call->worst)) call->worst = error;
}

#if AVG_LOSSES
/* What rounding does to averages of products at an input where terms of formulas cancel, relative to the scale. The
 * table has variances of 16^k with 0 in the middle. */
static double avg_loss(const avg_call *call, double square)
{
    const float *table = call->group->loss;
    const double most = AVG_LOSSES - 1.001, place = 0.25 * log2(fmax(square, DBL_MIN)) + (AVG_LOSSES - 1) / 2;
    const int k = (int)fmin(fmax(place, 0), most);
    const double part = fmin(fmax(place - k, 0), 1);
    if (table == NULL) return 0;
    return 2 * DBL_EPSILON * pow((double)table[k], 1 - part) * pow((double)table[k + 1], part);
}
#endif

/* A value as it is written: NaN where it is infinite or too large, and then the call's status says so. */
static double avg_settled(avg_call *call, double value)
{
    if (fabs(value) <= DBL_MAX) return value;
    if (!isnan(value))
        call->status = PT_OVERFLOW;
    else if (call->status != PT_OVERFLOW)
        call->status = PT_DIVERGENT;
    return (double)NAN;
}

/* What is written where there is no value: NaN, or numbers in (1, 2) that have nothing to do with each other (Park and
 * Miller, Comm. ACM 31 (1988) 1192). */
static double avg_without_value(avg_call *call)
{
    if (call->seed != NULL) {
        *call->seed = fmod(16807 * *call->seed, 2147483647);
        return 1 + *call->seed / 2147483647;
    }
    if (call->status == PT_OK) call->status = PT_UNDEFINED;
    return (double)NAN;
}

/* The same for values that were written. */
static void avg_settle(avg_call *call, double *values, size_t n)
{
    size_t p, bad = 0;
    for (p = 0; p < n; p++) bad += !(fabs(values[p]) <= DBL_MAX);
    for (p = 0; p < n && bad > 0; p++) values[p] = avg_settled(call, values[p]);
}

/* Where nodes are sums that may cancel, their errors and sizes stand beside them. */
typedef struct {
    double *value, *error, *size; /* error: absolute, null where it has been raised; size: of what is summed */
} avg_values;

/* A sum is told from zero where it is larger than so many errors, and than this part of its terms. */
#define AVG_TOLD 100
#define AVG_CANCELLED 1e-9

/* Raise the error to that of an entry. The scale of one term is the average of its absolute value. Where terms are
 * summed (by the product rule, by what deltas leave) it is the absolute value of the sum, so that their cancellation
 * counts as a loss; a sum that is not told from zero has the sum of the scales of its terms. */
static void avg_judge(avg_call *call, const avg_set *set, const avg_entry *entry, const avg_values *values,
                      double value)
{
    double error = 0, size = 0, largest = 0;
    int k, raised = 0;
    for (k = 0; k < entry->count; k++) {
        const avg_part *part = &set->part[entry->first + k];
        const double weight = fabs(part->weight);
        const double own = part->node < 0 ? weight : weight * values->size[part->node];
        size += own, largest = fmax(largest, own);
        if (part->node < 0) continue;
        error += weight * (values->error[part->node] + DBL_EPSILON * fabs(values->value[part->node]));
        raised |= part->node >= set->leaves && set->node[part->node - set->leaves].kind == AVG_NODE_STEIN;
    }
    if ((raised || size > (1 + AVG_CANCELLED) * largest) && fabs(value) > fmax(AVG_TOLD * error, AVG_CANCELLED * size))
        size = fabs(value);
    if (size > 0) avg_raise(call, error / size);
}

/* Write the entries whose slots carry the inputs `index`. */
static void avg_write(avg_call *call, const avg_set *set, const avg_entry *entry, int entries, const size_t *index,
                      const avg_values *values)
{
    int e, k;
    for (e = 0; e < entries; e++, entry++) {
        double *target = call->target[entry->request];
        const avg_request *request = &call->group->request[entry->request];
        size_t where[8];
        double value = 0;
        if (target == NULL || (call->seed != NULL && entry->count != AVG_UNDEFINED)) continue;
        for (k = 0; k < request->rank; k++) where[k] = index[entry->slot[k]];
        for (k = 0; k < entry->count; k++) {
            const avg_part *part = &set->part[entry->first + k];
            value += part->weight * (part->node < 0 ? 1.0 : values->value[part->node]);
        }
        if (values->error != NULL && entry->count > 0) avg_judge(call, set, entry, values, value);
        if (entry->count == AVG_UNDEFINED)
            value = avg_without_value(call);
        else
            value = avg_settled(call, entry->count < 0 ? (double)NAN : value);
        target[avg_place(request, call->inputs, where)] = value;
    }
}

/* Write all that the values over some inputs are good for; `zero` is an input of zeros, or `inputs` without one. */
static void avg_scatter(avg_call *call, const avg_set *set, const size_t *index, size_t zero, const avg_values *values)
{
    size_t with[5];
    int k;
    avg_write(call, set, set->entry, set->entries, index, values);
    if (zero == call->inputs) return;
    with[0] = zero;
    for (k = 0; k < set->size; k++) with[k + 1] = index[k];
    avg_write(call, set, set->zero_entry, set->zero_entries, with, values);
}
