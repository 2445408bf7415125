/* Averages over two inputs, all pairs at once. With coefficients a_n, b_n in normalised Hermite polynomials,
 *
 *     <f(z_i) g(z_j)> = sum over n of a_n(i) b_n(j) rho_ij^n
 *
 * with the correlation rho (Mehler's formula), so that functions are evaluated once for each input. */

/* Most terms of the series. */
#define AVG_TERMS 256
/* Most nodes on one side of zero, and numbers in the table of weights times polynomials. */
#define AVG_HALF 4096
#define AVG_WEIGHTS 262144
/* The series may lack this fraction of the scale. */
#define AVG_TAIL 1e-15
/* Where roots of mean squares are larger by this factor than the least scale, those of pairs are looked at; pairs whose
 * error is above this fraction of theirs are left to nested sums. */
#define AVG_LARGE 30.0
#define AVG_SURE_OF 1e-10

typedef struct {
    size_t half, terms, most, live; /* terms: that are used; most: that there is room for */
    double step, power;
    double *hermite;    /* `most` rows of half + 1 nodes: weights times polynomials */
    size_t ready;       /* rows that are filled in */
    double *even, *odd; /* sums and differences of values at x and -x: a row for each column */
    double *coarse;     /* room for every second node of a row */
    double *series;     /* coefficients: column, degree, input */
    double *largest;    /* column, degree: largest coefficient relative to the norm */
    double *rest;       /* degree: the largest part of a norm that coefficients of lower degree leave out */
    double *norm;       /* column, input: roots of mean squares */
    double *least;      /* the same: means of the smaller of the absolute values at x and -x */
    double rarity;      /* the largest quotient of these */
    double outside;     /* the largest part of a mean square that stands at the last node */
    int checked;        /* inputs at which a rule with half the nodes was compared */
} avg_series;

static const double *avg_row(avg_series *s, size_t n)
{
    const size_t stride = s->half + 1;
    size_t k;
    for (; s->ready <= n; s->ready++) {
        const size_t m = s->ready;
        double *row = s->hermite + m * stride;
        if (m == 0)
            for (k = 0; k < stride; k++) row[k] = s->step * avg_density((double)k * s->step);
        else {
            const double a = s->step / sqrt((double)m), b = m > 1 ? sqrt((double)(m - 1) / (double)m) : 0;
            const double *one = row - stride, *two = m > 1 ? one - stride : one;
            for (k = 0; k < stride; k++) row[k] = a * (double)k * one[k] - b * two[k];
        }
    }
    return s->hermite + n * stride;
}

/* Values of all columns at sigma * x, folded. */
static void avg_fold(avg_call *call, const avg_set *set, avg_series *s, double sigma)
{
    const size_t stride = s->half + 1;
    double *x = call->space, *lines = x + AVG_BLOCK, *columns = lines + (size_t)AVG_LINES * AVG_BLOCK;
    size_t first, k;
    int c;
    for (first = 0; first < stride; first += AVG_BLOCK / 2) {
        const size_t n = stride - first < AVG_BLOCK / 2 ? stride - first : AVG_BLOCK / 2;
        for (k = 0; k < n; k++) x[k] = sigma * s->step * (double)(first + k), x[n + k] = -x[k];
        avg_columns(set, 2 * n, x, lines, columns);
        for (c = 0; c < set->columns; c++) {
            const double *from = columns + (size_t)c * AVG_BLOCK;
            double *even = s->even + (size_t)c * stride + first, *odd = s->odd + (size_t)c * stride + first;
            for (k = 0; k < n; k++) even[k] = from[k] + from[n + k], odd[k] = from[k] - from[n + k];
            if (first == 0) even[0] = from[0], odd[0] = 0;
        }
    }
}

/* Coefficients of all columns at one input; returns by how much the rule with every second node differs, weighted as in
 * an average with correlation `rho`, relative to the norms. `left` becomes the fraction of a norm that is missing. */
static double avg_expand(avg_call *call, const avg_set *set, avg_series *s, double sigma, size_t place, double rho,
                         double *left)
{
    const size_t stride = s->half + 1, live = s->live;
    double norm[AVG_COLUMNS] = {0}, rest[AVG_COLUMNS] = {0}, power = 1, error = 0;
    const int check = s->checked++ < 4;
    size_t n, k;
    int c;
    avg_fold(call, set, s, sigma);
    for (c = 0; c < set->columns; c++) {
        const double *even = s->even + (size_t)c * stride, *odd = s->odd + (size_t)c * stride;
        const double *weight = avg_row(s, 0);
        double sum = weight[0] * even[0] * even[0], twice = 2 * sum, least = weight[0] * fabs(even[0]), value = 0;
        for (k = 1; k < stride; k++) {
            value = 0.5 * weight[k] * (even[k] * even[k] + odd[k] * odd[k]);
            sum += value;
            least += weight[k] * fabs(fabs(even[k]) - fabs(odd[k]));
            if (k % 2 == 0) twice += 2 * value;
        }
        norm[c] = rest[c] = sum;
        s->norm[(size_t)c * live + place] = sqrt(sum), s->least[(size_t)c * live + place] = least;
        if (sum > 0) s->rarity = fmax(s->rarity, sqrt(sum) / fmax(least, DBL_MIN));
        if (sum > 0) s->outside = fmax(s->outside, value / sum);
        if (sum > 0) error = fmax(error, fabs(sum - twice) / sum);
    }
    *left = 1;
    /* what is missing meets what other inputs have at higher degrees; less than 4e-16 of a square cannot be seen */
    for (n = 0; n < s->most; n++) {
        const double *row = avg_row(s, n);
        double most = 0;
        s->rest[n] = fmax(s->rest[n], *left);
        if (*left * s->rest[n] * power * power <= AVG_TAIL * AVG_TAIL) break;
        if (check)
            for (k = 0; k <= s->half / 2; k++) s->coarse[k] = 2 * row[2 * k];
        for (c = 0; c < set->columns; c++) {
            const double *side = (n % 2 ? s->odd : s->even) + (size_t)c * stride;
            const double a = avg_dot(side, row, stride);
            double *largest = s->largest + (size_t)c * AVG_TERMS + n;
            s->series[((size_t)c * AVG_TERMS + n) * live + place] = a;
            rest[c] -= a * a;
            if (!(norm[c] > 0)) continue;
            *largest = fmax(*largest, fabs(a) / sqrt(norm[c]));
            most = fmax(most, rest[c] / norm[c]);
            if (check) {
                double rough = 0;
                for (k = 0; k <= s->half / 2; k++) rough += s->coarse[k] * side[2 * k];
                error = fmax(error, fabs(a - rough) / sqrt(norm[c]) * power);
            }
        }
        power *= rho;
        *left = fmax(most, 4e-16);
    }
    if (n > s->terms) s->terms = n;
    if (n < s->most || *left <= 4e-16) *left = 0;
    return error;
}

/* The sums of one leaf over a block of inputs: sum over degrees of a[n] b[n][j] rho[j]^n. */
static void avg_sum_series(const avg_series *s, int first, int second, size_t i, size_t start, size_t n,
                           const double *rho, const double *square, double *sum)
{
    const double *a = s->series + (size_t)first * AVG_TERMS * s->live;
    const double *b = s->series + (size_t)second * AVG_TERMS * s->live;
    const double *one = s->largest + (size_t)first * AVG_TERMS, *two = s->largest + (size_t)second * AVG_TERMS;
    size_t degree = s->terms, gap = 0, k;
    for (k = 0; k < n; k++) sum[k] = 0;
    while (degree-- > 0) {
        const double *row = b + degree * s->live + start;
        const double value = a[degree * s->live + i];
        if (one[degree] * two[degree] > 1e-19) {
            if (gap == 1)
                for (k = 0; k < n; k++) sum[k] = sum[k] * rho[k] + value * row[k];
            else if (gap == 2)
                for (k = 0; k < n; k++) sum[k] = sum[k] * square[k] + value * row[k];
            else {
                for (; gap > 1; gap -= 2)
                    for (k = 0; k < n; k++) sum[k] *= square[k];
                for (; gap > 0; gap--)
                    for (k = 0; k < n; k++) sum[k] *= rho[k];
                for (k = 0; k < n; k++) sum[k] += value * row[k];
            }
            gap = 0;
        }
        gap++;
    }
    if (gap > 0) gap--;
    for (; gap > 1; gap -= 2)
        for (k = 0; k < n; k++) sum[k] *= square[k];
    for (; gap > 0; gap--)
        for (k = 0; k < n; k++) sum[k] *= rho[k];
}

/* Room for the series of `live` inputs. */
static size_t avg_series_room(size_t live)
{
    return ((size_t)AVG_COLUMNS * (live + 1) + 1) * AVG_TERMS + AVG_WEIGHTS +
           (size_t)(1 + 2 * AVG_COLUMNS) * (AVG_HALF + 1) +
           (size_t)(2 + 2 * AVG_COLUMNS) * live + (AVG_LEAVES + 2) * AVG_BLOCK;
}

/* The largest error of the averages at two inputs, relative to their scales: functions that grow, or hardly ever differ
 * from zero, have averages far below roots of mean squares. */
static double avg_pair_error(const avg_set *set, const avg_series *s, double error, size_t i, size_t j,
                             const double *sums)
{
    double worst = 0;
    int l;
    for (l = 0; l < set->leaves; l++) {
        const size_t one = (size_t)set->leaf[l][0] * s->live + i, two = (size_t)set->leaf[l][1] * s->live + j;
        const double norm = s->norm[one] * s->norm[two];
        const double scale = fmax(fabs(sums[(size_t)l * AVG_BLOCK]), s->least[one] * s->least[two]);
        if (norm > 0) worst = fmax(worst, scale > 0 ? error * norm / scale : HUGE_VAL);
    }
    return worst;
}

/* Write all entries over two distinct inputs of a block. */
static void avg_write_pairs(avg_call *call, const avg_set *set, const double *live, size_t zero, size_t i, size_t start,
                            size_t n, const double *sums)
{
    const avg_entry *entry = set->entry;
    double own[AVG_LEAVES];
    const avg_values values = {own, NULL, NULL};
    size_t k, index[2];
    int e, l, general = zero < call->inputs;
    for (e = 0; e < set->entries; e++, entry++) {
        const avg_request *request = &call->group->request[entry->request];
        double *target = call->target[entry->request];
        if (request->rank > 2) general = 1;
        if (request->rank != 2 || general || target == NULL || entry->count < 0) continue;
        for (k = 0; k < n; k++) {
            const size_t one = (size_t)live[i], two = (size_t)live[start + k];
            double value = 0;
            for (l = 0; l < entry->count; l++) {
                const avg_part *part = &set->part[entry->first + l];
                value += part->weight * (part->node < 0 ? 1.0 : sums[(size_t)part->node * AVG_BLOCK + k]);
            }
            if (request->classes == 1)
                target[two * (two + 1) / 2 + one] = value;
            else if (entry->slot[0] == 0)
                target[one * call->inputs + two] = value;
            else
                target[two * call->inputs + one] = value;
        }
    }
    if (!general) return;
    index[0] = (size_t)live[i];
    for (k = 0; k < n; k++) {
        index[1] = (size_t)live[start + k];
        for (l = 0; l < set->leaves; l++) own[l] = sums[(size_t)l * AVG_BLOCK + k];
        avg_scatter(call, set, index, zero, &values);
    }
}

/* All entries over two distinct inputs; live: inputs that are distinct, in order. */
static void avg_pairs(avg_call *call, const avg_set *set, const double *live, size_t count, size_t zero)
{
    const size_t inputs = call->inputs;
    const double *covariance = call->covariance;
    double *const space = call->space;
    double largest = 0, widest = 0, error = 0;
    double *left = space, *sigma = left + count, *sums = sigma + count, *rho = sums + (size_t)set->leaves * AVG_BLOCK;
    double *square = rho + AVG_BLOCK;
    avg_series s;
    size_t i, j, k, attempt, first = 0;
    for (i = 0; i < count; i++) {
        sigma[i] = sqrt(covariance[(size_t)live[i] * inputs + (size_t)live[i]]);
        if (sigma[i] > widest) widest = sigma[i], first = i;
    }
    for (i = 0; i < count; i++)
        for (j = i + 1; j < count; j++) {
            const double k12 = covariance[(size_t)live[i] * inputs + (size_t)live[j]];
            largest = fmax(largest, fabs(k12) / (sigma[i] * sigma[j]));
        }
    largest = fmin(largest, 1.0);
    s.live = count;
    s.hermite = square + AVG_BLOCK;
    s.largest = s.hermite + AVG_WEIGHTS;
    s.even = s.largest + (size_t)AVG_COLUMNS * AVG_TERMS;
    s.odd = s.even + (size_t)AVG_COLUMNS * (AVG_HALF + 1);
    s.coarse = s.odd + (size_t)AVG_COLUMNS * (AVG_HALF + 1);
    s.rest = s.coarse + AVG_HALF + 1, s.series = s.rest + AVG_TERMS;
    s.norm = s.series + (size_t)AVG_COLUMNS * AVG_TERMS * count;
    s.least = s.norm + (size_t)AVG_COLUMNS * count;
    call->space = s.least + (size_t)AVG_COLUMNS * count;
    for (attempt = 0; attempt < 8; attempt++) {
        /* polynomials of degree n oscillate with sqrt(n) and push the weight outwards */
        const double frequency = (0.8 * avg_frequency(call, widest) + 5.0) * pow(1.25, (double)attempt);
        const double half = 2 * ceil(0.25 * (call->reach + 4) * frequency / AVG_PI);
        if (!(half <= AVG_HALF)) {
            /* functions that change so fast are left to nested sums, pair by pair */
            s.most = s.terms = 0, error = s.rarity = 0;
            for (i = 0; i < count; i++) left[i] = 1;
            break;
        }
        s.half = (size_t)half;
        s.step = (call->reach + 4) / half;
        s.most = AVG_WEIGHTS / (s.half + 1) < AVG_TERMS ? AVG_WEIGHTS / (s.half + 1) : AVG_TERMS;
        s.ready = s.terms = 0;
        memset(s.largest, 0, (size_t)AVG_COLUMNS * AVG_TERMS * sizeof(double));
        memset(s.rest, 0, AVG_TERMS * sizeof(double));
        memset(s.series, 0, (size_t)set->columns * AVG_TERMS * count * sizeof(double));
        error = s.rarity = s.outside = 0;
        s.checked = 0;
        for (k = 0; k < count; k++) { /* the widest first: it has the most terms */
            i = k == 0 ? first : k <= first ? k - 1 : k;
            error = fmax(error, avg_expand(call, set, &s, sigma[i], i, largest, &left[i]));
            if ((error > 2e-8 && attempt < 7) || s.outside > AVG_OUTSIDE) break;
        }
        if (s.outside > AVG_OUTSIDE && call->reach < 33) { /* the functions grow: there is weight farther out */
            call->reach += 1.5, attempt--;
            continue;
        }
        if (error <= 2e-8) break;
    }
    error = pow(error, AVG_TWICE) + AVG_ROUNDING * (2 + 0.1 * (double)s.terms);
    avg_raise(call, error);
    for (i = 0; i < count; i++)
        for (j = i + 1; j < count; j += AVG_BLOCK) {
            const size_t n = count - j < AVG_BLOCK ? count - j : AVG_BLOCK;
            int l;
            for (k = 0; k < n; k++) {
                const double r = covariance[(size_t)live[i] * inputs + (size_t)live[j + k]] / (sigma[i] * sigma[j + k]);
                rho[k] = fmax(-1.0, fmin(1.0, r));
                square[k] = rho[k] * rho[k];
            }
            for (l = 0; l < set->leaves; l++)
                avg_sum_series(&s, set->leaf[l][0], set->leaf[l][1], i, j, n, rho, square,
                               sums + (size_t)l * AVG_BLOCK);
            for (k = 0; k < n; k++) {
                double own = s.rarity * s.rarity > AVG_LARGE ? avg_pair_error(set, &s, error, i, j + k, sums + k) : 0;
                /* what is missing of both, times what is left of the correlation */
                if (left[i] > 0 && sqrt(left[i] * left[j + k]) * pow(fabs(rho[k]), (double)s.most) > AVG_TAIL) own = 1;
                if (own > AVG_SURE_OF) {
                    double two[4], values[AVG_LEAVES];
                    size_t index[2];
                    index[0] = (size_t)live[i], index[1] = (size_t)live[j + k];
                    avg_restrict(call, index, 2, two);
                    avg_nested(call, set, two, values);
                    for (l = 0; l < set->leaves; l++) sums[(size_t)l * AVG_BLOCK + k] = values[l];
                } else
                    avg_raise(call, own);
            }
            avg_write_pairs(call, set, live, zero, i, j, n, sums);
        }
    call->space = space;
}
