/* The routine itself. */

#if AVG_SMOOTH && AVG_MOST > 2
#define AVG_CONDITIONAL_ROOM \
    (AVG_TABLE + 2 * AVG_INNER * (AVG_SHORT + 1) + AVG_COLUMNS * (AVG_BLOCK * AVG_COLUMNS + 2 * AVG_SHORT))
#else
#define AVG_CONDITIONAL_ROOM 0
#endif
#ifndef AVG_KINKED_ROOM
#define AVG_KINKED_ROOM 0
#endif
/* Doubles that all methods but the one for all pairs need, whichever needs most. */
#define AVG_ROOM \
    (4 * AVG_NODES + 20 * AVG_LEAVES + 16 * AVG_COLUMNS + AVG_BLOCK * (AVG_LINES + 5 * AVG_COLUMNS + 16) + \
     AVG_CONDITIONAL_ROOM + AVG_KINKED_ROOM)

/* More inputs than any workspace is counted for. */
#define AVG_MOST_INPUTS ((size_t)-1 / sizeof(double) / (64 + (size_t)AVG_COLUMNS * 300) - AVG_ROOM)

/* Whether an entry is asked for. */
static int avg_wanted(const avg_call *call, const avg_entry *entry, int entries)
{
    int e;
    for (e = 0; e < entries; e++)
        if (call->target[entry[e].request] != NULL && (call->seed == NULL || entry[e].count == AVG_UNDEFINED)) return 1;
    return 0;
}

/* All nodes of some distinct inputs. */
static void avg_evaluate(avg_call *call, const avg_set *set, const size_t *index, const avg_values *values)
{
    double covariance[16] = {0}; /* set, so that analysers see it */
    avg_restrict(call, index, set->size, covariance);
#if AVG_KINKED
    if (call->group->kinked) avg_kinked(call, set, covariance, values);
#endif
#if AVG_SMOOTH
    if (!call->group->kinked && set->size == 1) avg_single(call, set, sqrt(covariance[0]), values->value);
#if AVG_MOST > 2
    if (!call->group->kinked && set->size > 2) avg_conditional(call, set, covariance, values->value);
#endif
#endif
}

/* All entries over `size` distinct inputs. */
static void avg_sets(avg_call *call, const avg_set *set, const double *live, size_t count, size_t zero)
{
    const int size = set->size;
    double *const space = call->space;
    avg_values values;
    size_t choice[4] = {0}, index[4] = {0};
    int k;
    if (count < (size_t)size) return;
    if (!avg_wanted(call, set->entry, set->entries) &&
        (zero == call->inputs || !avg_wanted(call, set->zero_entry, set->zero_entries)))
        return;
    for (k = 0; (size_t)k < count && call->group->kinked && size > 2; k++)
        if (call->covariance[(size_t)live[k] * (call->inputs + 1)] < AVG_SMALLEST) avg_raise(call, HUGE_VAL);
#if AVG_SMOOTH && AVG_MOST > 1
    for (k = 0; (size_t)k < count && !call->group->kinked && size > 1; k++)
        if (avg_faint(call, set, call->covariance[(size_t)live[k] * (call->inputs + 1)])) avg_raise(call, HUGE_VAL);
    if (!call->group->kinked && size == 2) {
        avg_pairs(call, set, live, count, zero);
        return;
    }
#endif
    values.value = space, values.error = NULL, values.size = NULL;
    call->space += set->leaves + set->nodes;
    if (call->group->kinked) {
        values.error = call->space, values.size = values.error + set->leaves + set->nodes;
        call->space += 2 * (set->leaves + set->nodes);
    }
    for (k = 0; k < size; k++) choice[k] = (size_t)k;
    for (;;) {
        for (k = 0; k < size; k++) index[k] = (size_t)live[choice[k]];
        if (call->seed == NULL) avg_evaluate(call, set, index, &values);
        avg_scatter(call, set, index, zero, &values);
        /* the first one moves fastest, as entries stand in memory */
        for (k = 0; k < size && choice[k] + 1 == (k + 1 < size ? choice[k + 1] : count); k++) choice[k] = (size_t)k;
        if (k == size) break;
        choice[k]++;
    }
    call->space = space;
}

/* Entries at inputs that equal earlier ones are copied from those. */
static void avg_copy(avg_call *call, const avg_request *request, double *target, const double *same)
{
    const int rank = request->rank;
    size_t index[8] = {0}, first[8] = {0};
    for (;;) {
        int k, c, place = 0, differs = 0, stored = 1;
        for (c = 0; c < request->classes; place += request->class_size[c++])
            for (k = place + 1; k < place + request->class_size[c]; k++) stored &= index[k - 1] >= index[k];
        for (k = 0; k < rank; k++) {
            first[k] = (size_t)same[index[k]];
            differs |= first[k] != index[k];
        }
        if (stored && differs) {
            size_t from, to;
            to = avg_place(request, call->inputs, index);
            from = avg_place(request, call->inputs, first);
            target[to] = target[from];
        }
        for (k = rank - 1; k >= 0; k--) {
            if (++index[k] < call->inputs) break;
            index[k] = 0;
        }
        if (k < 0) return;
    }
}

/* Check a covariance; a status. `variance` and `sigma` become its diagonal and the roots. */
static int avg_check(size_t inputs, const double *covariance, double *variance, double *sigma)
{
    size_t i, j;
    for (i = 0; i < inputs; i++) {
        variance[i] = covariance[i * inputs + i];
        if (!isfinite(variance[i])) return PT_NOT_FINITE;
        if (variance[i] < 0) return PT_BAD_ARGUMENT;
        sigma[i] = sqrt(variance[i]);
    }
    for (i = 0; i < inputs; i++)
        for (j = 0; j < inputs; j++) {
            const double both = covariance[i * inputs + j];
            if (!isfinite(both)) return PT_NOT_FINITE;
            if (fabs(both) > sigma[i] * sigma[j] * (1 + 1e-9)) return PT_BAD_ARGUMENT;
        }
    return PT_OK;
}

/* Whether rules are asked for more than they can resolve. */
static int avg_too_wide(const avg_call *call, const double *variance)
{
    size_t i;
    int s, rules = 0;
    for (s = 0; s <= AVG_MOST; s++) rules |= call->sets[s].leaves > 0;
    for (i = 0; i < call->inputs && rules; i++)
        if (variance[i] > AVG_LARGEST) return 1;
    return 0;
}

size_t AVG_NAME(builtin_workspace)(size_t inputs)
{
    size_t room = (3 + AVG_EXACT * AVG_MOST_REQUESTS) * inputs + AVG_REQUESTS + AVG_ROOM;
    if (inputs > AVG_MOST_INPUTS) return 0;
#if AVG_SMOOTH && AVG_MOST > 1
    room += avg_series_room(inputs);
#endif
    return room;
}

/* The routine; with a seed only what has no value is written, as random numbers, and the seed goes on. */
static int avg_fill(size_t inputs, const double *covariance, size_t count, const int *requests, double *const *out,
                    double *workspace, size_t workspace_size, double *worst_error, double *seed)
{
    double *targets[AVG_MOST_REQUESTS];
    double *same, *live, *variance;
    size_t alive = 0, zero = inputs, distinct = 0, i, j;
    avg_call call;
    int status, s, wide;
    if (inputs == 0 || covariance == NULL || workspace == NULL) return PT_BAD_ARGUMENT;
    if (inputs > AVG_MOST_INPUTS) return PT_TOO_LARGE;
    if (count == 0) return PT_OK;
    if (requests == NULL || out == NULL) return PT_BAD_ARGUMENT;
    if (workspace_size < AVG_NAME(builtin_workspace)(inputs)) return PT_SHORT_WORKSPACE;
    /* lists of inputs are kept in the workspace, as doubles */
    same = workspace, live = same + inputs, variance = live + inputs;
    status = avg_check(inputs, covariance, variance, live);
    if (status != PT_OK) return status;
    for (i = 0; i < AVG_MOST_REQUESTS; i++) targets[i] = NULL;
    for (i = 0; i < count; i++) {
        if (requests[i] < 0 || requests[i] >= AVG_REQUESTS || out[i] == NULL) return PT_BAD_ARGUMENT;
        if (avg_requests[requests[i]].group != avg_requests[requests[0]].group) return PT_BAD_ARGUMENT;
        targets[avg_requests[requests[i]].place] = out[i];
    }
    call.inputs = inputs, call.covariance = covariance, call.target = targets;
    call.group = &avg_groups[avg_requests[requests[0]].group];
    call.worst = 0, call.strip = AVG_NARROWEST, call.slowest = 9, call.reach = 8.5, call.widen = 1.5;
    call.status = PT_OK, call.refused = 0, call.seed = seed;
    call.space = workspace + 3 * inputs;
#if AVG_EXACT
    if (call.group->forms != NULL && avg_exact_fits(&call, variance)) {
        avg_exact(&call, variance);
        if (worst_error != NULL && !(call.worst <= *worst_error)) *worst_error = call.worst;
        return call.status;
    }
#endif
    call.sets = call.group->sets;
    for (i = 0; i < inputs; i++) {
        const double one = variance[i];
        for (j = 0; j < i; j++) {
            const double both = covariance[i * inputs + j], two = variance[j];
            if (fabs(one - both) + fabs(two - both) <= 4e-16 * one) break;
        }
        same[i] = (double)j;
        if (j < i) {
            call.sets = call.group->full;
            continue;
        }
        distinct++;
        if (one == 0)
            zero = i;
        else
            live[alive++] = (double)i;
#if AVG_LOSSES
        if (one > 0 && !call.group->kinked && seed == NULL) avg_raise(&call, AVG_MOST * avg_loss(&call, one));
#endif
    }
    if (call.sets[1].leaves > 0) call.strip *= 1.5; /* averages at one input come first, and measure it */
    wide = avg_too_wide(&call, variance);
    for (s = 0; s < call.group->requests; s++) {
        const avg_request *request = &call.group->request[s];
        if (targets[s] == NULL) continue;
        if (seed == NULL && (AVG_ANY_KINKED || request->rank > 4 || wide)) {
            const size_t stored = avg_stored(request, inputs);
            for (i = 0; i < stored; i++) targets[s][i] = (double)NAN;
        }
        if (request->rank > 4 && distinct > 4) call.status = PT_UNSUPPORTED;
    }
    if (wide) {
        if (worst_error != NULL) *worst_error = HUGE_VAL;
        return PT_UNSUPPORTED;
    }
    status = call.status;
    call.status = PT_OK;
    for (s = 0; s <= AVG_MOST; s++) avg_sets(&call, &call.sets[s], live, alive, zero);
    if (distinct < inputs)
        for (s = 0; s < call.group->requests; s++)
            if (targets[s] != NULL) avg_copy(&call, &call.group->request[s], targets[s], same);
    for (s = 0; s < call.group->requests && !call.group->kinked; s++) /* with kinks not all entries are wanted */
        if (targets[s] != NULL) avg_settle(&call, targets[s], avg_stored(&call.group->request[s], inputs));
    if (worst_error != NULL && !(call.worst <= *worst_error)) *worst_error = call.worst;
    if (status != PT_OK) return status;
    if (call.refused) return PT_UNSUPPORTED;
    if (call.status != PT_OK) return call.status;
    return call.worst <= AVG_TOLERANCE ? PT_OK : PT_ACCURACY;
}

int AVG_NAME(builtin_average)(void *context, size_t inputs, const double *covariance, int field, size_t count,
                              const int *requests, double *const *out, double *workspace, size_t workspace_size,
                              double *worst_error)
{
    (void)context;
    if (field < 0) return PT_BAD_ARGUMENT;
    return avg_fill(inputs, covariance, count, requests, out, workspace, workspace_size, worst_error, NULL);
}
