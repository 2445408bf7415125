/* Kinds of nodes, and of the strengths of their terms; orthant.c and panels.c make what they start from. */
#define AVG_NODE_SUM 2
#define AVG_NODE_MOMENT 3
#define AVG_NODE_ORTHANT 4
#define AVG_TERM_CARRIER 1
#define AVG_TERM_SHARED 2
#define AVG_TERM_POWER 3
#define AVG_TERM_STEP 4

/* Row `slot` of the inverse covariance of the inputs of a mask, and its product with the covariances of all inputs. */
static void avg_inverse(const avg_conditions *c, int mask, int slot, double *row, double *shared)
{
    int m, n;
    const long double own = 1 / c->given[mask & ~(1 << slot)][slot][slot];
    for (n = 0; n < c->size; n++) row[n] = 0, shared[n] = 0;
    for (m = 0; m < c->size; m++) {
        const long double(*rest)[4] = (const long double(*)[4])c->given[mask & ~(1 << slot) & ~(1 << m)];
        if (!(mask >> m & 1)) continue;
        row[m] = (double)(m == slot ? own : -own * rest[slot][m] / rest[m][m]);
        for (n = 0; n < c->size; n++) shared[n] += row[m] * (double)c->given[0][m][n];
    }
}

#if AVG_ORTHANTS
/* The average of powers of two positive inputs that are nearly opposite: both are positive in a narrow wedge of the
 * plane, over whose angle nothing cancels as it does in the recursion. gap: the determinant. */
static double avg_wedge(const avg_node *node, const avg_conditions *c, long double gap)
{
    const double m = node->place[0], n = node->place[1], wedge = (double)atan2l(sqrtl(gap), -c->given[0][0][1]);
    double sum = 0;
    int k, side;
    for (k = 0; k < 6; k++)
        for (side = -1; side <= 1; side += 2) {
            const double angle = 0.5 * wedge * (1 + side * avg_legendre12[k][0]);
            sum += 0.5 * wedge * avg_legendre12[k][1] * pow(sin(angle), m) * pow(sin(wedge - angle), n);
        }
    return sum * pow(2 * (double)c->given[0][0][0], 0.5 * m) * pow(2 * (double)c->given[0][1][1], 0.5 * n) *
           tgamma(0.5 * (m + n) + 1) / (2 * AVG_PI);
}
#endif

/* The size of a term of a sum: a moment that has one sign is its own size. */
static double avg_term_size(const avg_set *set, const avg_values *values, int number, int is_sum)
{
    const avg_node *node = number < set->leaves ? NULL : &set->node[number - set->leaves];
    int k, one_sign = is_sum && node != NULL && node->kind == AVG_NODE_MOMENT;
    if (number < 0) return 1;
    for (k = 0; k < set->size && one_sign; k++) one_sign = node->place[k] == 0 || node->sign[k];
    return one_sign ? fabs(values->value[number]) : values->size[number];
}

/* All nodes of a set, for functions with kinks. */
static void avg_kinked(avg_call *call, const avg_set *set, const double *covariance, const avg_values *values)
{
    avg_conditions c;
    int n, k;
    avg_eliminate(set->size, covariance, &c);
#if AVG_PANELLED
    avg_leaf_values(call, set, &c, values);
#else
    (void)call;
#endif
    for (n = 0; n < set->nodes; n++) {
        const avg_node *node = &set->node[n];
        const avg_term *term = &set->term[node->first];
        const long double(*given)[4] = (const long double(*)[4])c.given[node->mask];
        double *own = values->value + set->leaves + n, *error = values->error + set->leaves + n;
        double *size = values->size + set->leaves + n;
        double sum = 0, wrong = 0, whole = 0, mean[4], factor = 1, loose = 0;
        double row[4] = {0, 0, 0, 0}, shared[4] = {0, 0, 0, 0};
        int met = 1;
#if AVG_ORTHANTS
        if (node->kind == AVG_NODE_ORTHANT) {
            *own = *size = avg_orthant(&c, node->mask, node->sign);
            *error = c.loose;
            if (set->size == 2) *error *= *own;
            continue;
        }
        if (node->kind == AVG_NODE_MOMENT && set->size == 2 && node->mask == 0 && node->sign[0] && node->sign[1]) {
            const long double both = given[0][1], gap = c.given[1][1][1] * given[0][0];
            if (both < 0 && gap < 3 * both * both) {
                *own = *size = avg_wedge(node, &c, gap);
                *error = 4 * c.loose * *own;
                continue;
            }
        }
#endif
        if (node->kind == AVG_NODE_STEIN || node->kind == AVG_NODE_SUM)
            met = avg_condition(&c, node->mask, node->place, mean, &factor, &loose);
        /* an input that the deltas hold at a step has no definite value */
        for (k = 0; k < set->size && node->kind == AVG_NODE_SUM && met == 1 && node->mask; k++)
            if (!(node->mask >> k & 1) && node->slot >> k & 1 && !(given[k][k] > 0)) met = -1;
        if (met == 1 && node->kind == AVG_NODE_STEIN) {
            factor = 1, loose = c.loose;
            avg_inverse(&c, node->mask, node->slot, row, shared);
        }
        for (k = 0; k < node->count && met == 1; k++, term++) {
            const double value = term->node < 0 ? 1.0 : values->value[term->node];
            double strength = term->weight, variance;
            switch (term->kind) {
            case AVG_TERM_CARRIER: strength *= row[term->slot]; break;
            case AVG_TERM_SHARED: strength *= shared[term->slot]; break;
            case AVG_TERM_POWER: strength *= (double)given[node->slot][term->slot]; break;
            case AVG_TERM_STEP:
                variance = (double)given[term->slot][term->slot];
                strength *= variance > 0 ? (double)given[node->slot][term->slot] / sqrt(2 * AVG_PI * variance) : 0;
                break;
            }
            if (strength == 0) continue;
            sum += strength * value;
            wrong += fabs(strength) * (c.loose * fabs(value) + (term->node < 0 ? 0 : values->error[term->node]));
            whole += fabs(strength) * avg_term_size(set, values, term->node, node->kind == AVG_NODE_SUM);
        }
        *own = met < 0 ? (double)NAN : met * factor * sum;
        *size = met * factor * whole;
        *error = met * factor * (wrong + loose * fabs(sum));
    }
}
