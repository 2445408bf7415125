/* Kinds of nodes, and of the strengths of their terms; orthant.c and panels.c make what they start from. */
#define AVG_NODE_STEIN 1
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

/* All nodes of a set, for functions with kinks. */
static void avg_kinked(avg_call *call, const avg_set *set, const double *covariance, double *values)
{
    avg_conditions c;
    int n, k;
    avg_eliminate(set->size, covariance, &c);
#if AVG_PANELLED
    avg_leaf_values(call, set, &c, values);
#endif
    for (n = 0; n < set->nodes; n++) {
        const avg_node *node = &set->node[n];
        const avg_term *term = &set->term[node->first];
        const long double(*given)[4] = (const long double(*)[4])c.given[node->mask];
        double sum = 0, mean[4], factor = 1, row[4] = {0, 0, 0, 0}, shared[4] = {0, 0, 0, 0};
        int met = 1;
#if AVG_ORTHANTS
        if (node->kind == AVG_NODE_ORTHANT) {
            values[set->leaves + n] = avg_orthant(&c, node->mask, node->sign);
            continue;
        }
#endif
        if (node->kind == AVG_NODE_STEIN || node->kind == AVG_NODE_SUM)
            met = avg_condition(&c, node->mask, node->place, mean, &factor);
        /* an input that the deltas hold at a step has no definite value */
        for (k = 0; k < set->size && node->kind == AVG_NODE_SUM && met == 1 && node->mask; k++)
            if (!(node->mask >> k & 1) && node->slot >> k & 1 && !(given[k][k] > 0)) met = -1;
        if (met == 1 && node->kind == AVG_NODE_STEIN) {
            factor = 1;
            avg_inverse(&c, node->mask, node->slot, row, shared);
        }
        for (k = 0; k < node->count && met == 1; k++, term++) {
            double strength = term->weight, own;
            switch (term->kind) {
            case AVG_TERM_CARRIER: strength *= row[term->slot]; break;
            case AVG_TERM_SHARED: strength *= shared[term->slot]; break;
            case AVG_TERM_POWER: strength *= (double)given[node->slot][term->slot]; break;
            case AVG_TERM_STEP:
                own = (double)given[term->slot][term->slot];
                strength *= own > 0 ? (double)given[node->slot][term->slot] / sqrt(2 * AVG_PI * own) : 0;
                break;
            }
            if (strength != 0) sum += strength * (term->node < 0 ? 1.0 : values[term->node]);
        }
        values[set->leaves + n] = met < 0 ? (double)NAN : met * factor * sum;
    }
    avg_raise(call, 1e-15);
}
