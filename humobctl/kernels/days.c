/* Minimum Bayes risk over whole days: coordinate ascent with incremental scoring.
 *
 * value of a day y = sum_i own[i][y_i]
 *                  + sum_s weight_s * (bleu * GB(y, s) - open * DTW_open(y, s)
 *                                                      - closed * DTW_closed(y, s))
 *
 * over sample days s laid over the same slots, so of the same length n. Then the brevity penalty
 * of GEO-BLEU is 1, both dialects divide by n - o + 1, and with N = min(longest, n)
 *     GB = prod_{o = 1..N} (q_o / (n - o + 1)) ** (1 / N),
 * q_o the sum of the proximities of greedily matched o-grams.
 *
 * A move changes one row. It changes at most o rows of the proximities of o-grams, whose row maxima
 * are kept; and one row of the cost matrix of DTW: with the tables of best paths from the start to
 * a row and from a row to the end, a move costs O(n) there. No state is kept between calls.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "largest.h"

enum { ORDERS = 5 };

/* One day on the bench. Tables of sample s start at s * their size; rows are `n` wide. */
typedef struct {
    int n, samples, k, orders;    /* rows, distinct sample days, cells, longest n-gram */
    double bleu, open, closed, tolerance, hope;
    const double *near, *apart;   /* k x k: proximity, distance in km */
    int32_t *cell;                /* samples x n */
    double *weight;               /* samples */
    double *p[ORDERS];            /* samples x n x n: proximities of (o+1)-grams */
    double *top[ORDERS];          /* samples x n: their row maxima */
    double *sum[2];               /* samples: GEO-BLEU and DTW of the present day, weighted */
    double *forth[2], *back;      /* samples x (n + 1) x (n + 1): DTW, open and closed; to the end */
    double *row, *bound, *free, *line; /* scratch */
    const double **at;            /* scratch: rows of a proximity matrix */
} Bench;

static inline double least3(double a, double b, double c)
{
    double least = a < b ? a : b;
    return least < c ? least : c;
}

/* Sum of greedily matched proximities, nearest first, of n rows of n; bound[] holds row maxima and
 * is used up. Ends early where all that is left cannot add more than `tolerance` times the sum. */
static double greedy_sum(const double **at, int n, double *bound, double *free, double tolerance)
{
    double sum = 0.0;
    for (int j = 0; j < n; j++) free[j] = 1.0;
    for (int left = n; left > 0;) {
        double best = largest(bound, n);
        if (best * left <= tolerance * sum) break;
        int i = 0, j = 0;
        while (bound[i] != best) i++;
        const double *row = at[i];
        while (j < n && row[j] * free[j] != best) j++;
        if (j < n) {
            sum += best;
            free[j] = -1.0;
            bound[i] = -1.0;
            left--;
        } else {
            double most = -1.0;
            for (j = 0; j < n; j++) {
                double v = row[j] * free[j];
                most = v > most ? v : most;
            }
            bound[i] = most;
        }
    }
    return sum;
}

/* Weighted GEO-BLEU from the sums of matched proximities. */
static double combine(const Bench *b, const double *q)
{
    double product = 1.0;
    for (int o = 0; o < b->orders; o++) product *= q[o] / (b->n - o);
    switch (b->orders) {
    case 1: return b->bleu * product;
    case 2: return b->bleu * sqrt(product);
    case 3: return b->bleu * cbrt(product);
    default: return b->bleu * pow(product, 1.0 / b->orders);
    }
}

/* GEO-BLEU part with row `at_row` of the day replaced by cell c; c < 0: the present day. */
static double geobleu(const Bench *b, int s, int at_row, int c)
{
    int n = b->n;
    double q[ORDERS];
    double *fresh = b->row;
    const int32_t *cell = b->cell + (size_t)s * n;
    const double *p1 = b->p[0] + (size_t)s * n * n;
    if (c >= 0)
        for (int j = 0; j < n; j++) fresh[j] = b->near[(size_t)c * b->k + cell[j]];
    for (int o = 0; o < b->orders; o++) {
        int m = n - o, first = at_row - o < 0 ? 0 : at_row - o;
        int last = at_row < m - 1 ? at_row : m - 1;
        const double *p = b->p[o] + (size_t)s * n * n, *top = b->top[o] + (size_t)s * n;
        for (int i = 0; i < m; i++) b->at[i] = p + (size_t)i * n;
        memcpy(b->bound, top, (size_t)m * sizeof *top);
        if (c >= 0)
            for (int i = first; i <= last; i++) {
                double *out = fresh + (size_t)(1 + i - first) * n;
                const double *head = i == at_row ? fresh : p1 + (size_t)i * n;
                for (int j = 0; j < m; j++) out[j] = head[j];
                for (int e = 1; e <= o; e++) {
                    const double *next = (i + e == at_row ? fresh : p1 + (size_t)(i + e) * n) + e;
                    for (int j = 0; j < m; j++) out[j] *= next[j];
                }
                b->at[i] = out;
                b->bound[i] = largest(out, m);
            }
        q[o] = greedy_sum(b->at, m, b->bound, b->free, b->tolerance);
    }
    return combine(b, q);
}

/* One row of the DTW table from the row before, both with an element in front. */
static inline void dtw_row(const double *before, const double *cost, int n, double *out)
{
    double left = INFINITY;
    out[0] = INFINITY;
    for (int j = 1; j <= n; j++) {
        left = cost[j - 1] + least3(before[j], before[j - 1], left);
        out[j] = left;
    }
}

/* Weighted DTW of both dialects with row `i` replaced by cell c. */
static double dtw_moved(const Bench *b, int s, int i, int c)
{
    int n = b->n, wide = n + 1;
    size_t base = (size_t)s * wide * wide;
    const int32_t *cell = b->cell + (size_t)s * n;
    const double *after = b->back + base + (size_t)(i + 1) * wide;
    double *cost = b->line, *out = cost + n, sum = 0.0;
    for (int j = 0; j < n; j++) cost[j] = b->apart[(size_t)c * b->k + cell[j]];
    for (int kind = 0; kind < 2; kind++) {
        double factor = kind ? b->closed : b->open, best = INFINITY;
        if (factor == 0.0) continue;
        dtw_row(b->forth[kind] + base + (size_t)i * wide, cost, n, out);
        for (int j = 0; j < n; j++) {
            double rest = after[j] < after[j + 1] ? after[j] : after[j + 1];
            double whole = out[j + 1] + rest;
            best = whole < best ? whole : best;
        }
        sum += factor * best;
    }
    return sum;
}

/* Fill the DTW tables of the present day: `forth` from row `from` on, `back` from row `to` down.
 *
 * forth[i][j]: cheapest path over rows < i and reference points < j, ending in (i - 1, j - 1).
 * back[i][j]: cheapest path from (i, j) to the end, that point included; back[n] stands for the
 * end, reached from the last point only.
 */
static void dtw_tables(const Bench *b, int s, const int32_t *day, int from, int to)
{
    int n = b->n, wide = n + 1;
    size_t base = (size_t)s * wide * wide;
    const int32_t *cell = b->cell + (size_t)s * n;
    double *cost = b->line;
    for (int kind = 0; kind < 2; kind++) {
        double *forth = b->forth[kind] + base;
        if ((kind ? b->closed : b->open) == 0.0) continue;
        if (from == 0) {
            for (int j = 0; j <= n; j++) forth[j] = kind ? INFINITY : 0.0;
            forth[0] = 0.0;
        }
        for (int i = from; i < n; i++) {
            for (int j = 0; j < n; j++) cost[j] = b->apart[(size_t)day[i] * b->k + cell[j]];
            dtw_row(forth + (size_t)i * wide, cost, n, forth + (size_t)(i + 1) * wide);
        }
    }
    double *back = b->back + base, *end = back + (size_t)n * wide;
    for (int j = 0; j <= n; j++) end[j] = INFINITY;
    end[n] = 0.0;
    for (int i = to; i >= 0; i--) {
        double *out = back + (size_t)i * wide, *after = out + wide, right = INFINITY;
        out[n] = INFINITY;
        for (int j = n - 1; j >= 0; j--) {
            double rest = least3(after[j], after[j + 1], right);
            right = b->apart[(size_t)day[i] * b->k + cell[j]] + rest;
            out[j] = right;
        }
    }
}

/* Proximities of all orders for the present day: those that row `changed` touches, or all. */
static void proximities(const Bench *b, int s, const int32_t *day, int changed, int all)
{
    int n = b->n;
    const int32_t *cell = b->cell + (size_t)s * n;
    double *p1 = b->p[0] + (size_t)s * n * n;
    for (int o = 0; o < b->orders; o++) {
        int m = n - o, first = all || changed - o < 0 ? 0 : changed - o;
        int last = all || changed > m - 1 ? m - 1 : changed;
        double *p = b->p[o] + (size_t)s * n * n, *top = b->top[o] + (size_t)s * n;
        const double *shorter = o ? b->p[o - 1] + (size_t)s * n * n : NULL;
        for (int i = first; i <= last; i++) {
            double *out = p + (size_t)i * n;
            for (int j = 0; j < m; j++)
                out[j] = o ? shorter[(size_t)i * n + j] * p1[(size_t)(i + o) * n + j + o]
                           : b->near[(size_t)day[i] * b->k + cell[j]];
            top[i] = largest(out, m);
        }
    }
}

/* Bring all tables of a sample up to date; its parts of the value are kept. */
static void settle(Bench *b, int s, const int32_t *day, int changed, int all)
{
    if (b->orders) {
        proximities(b, s, day, changed, all);
        b->sum[0][s] = geobleu(b, s, 0, -1);
    }
    if (b->open != 0.0 || b->closed != 0.0) {
        dtw_tables(b, s, day, all ? 0 : changed, all ? b->n - 1 : changed);
        size_t last = (size_t)(s + 1) * (b->n + 1) * (b->n + 1) - 1;
        b->sum[1][s] = (b->open != 0.0 ? b->open * b->forth[0][last] : 0.0)
                     + (b->closed != 0.0 ? b->closed * b->forth[1][last] : 0.0);
    }
}

/* What the samples add to the value. */
static double sampled(const Bench *b)
{
    double value = 0.0;
    for (int s = 0; s < b->samples; s++) {
        if (b->orders) value += b->weight[s] * b->sum[0][s];
        if (b->open != 0.0 || b->closed != 0.0) value -= b->weight[s] * b->sum[1][s];
    }
    return value;
}

/* What replacing row i by cell c gains over the samples, heaviest sample first. Ends early, with a
 * value that is not above `enough`, where the samples left would have to gain more than `hope`
 * each to reach it. */
static double gained(const Bench *b, int i, int c, double enough)
{
    double gain = 0.0, left = 0.0;
    if (b->open != 0.0 || b->closed != 0.0)
        for (int s = 0; s < b->samples; s++)
            gain += b->weight[s] * (b->sum[1][s] - dtw_moved(b, s, i, c));
    if (!b->orders) return gain;
    for (int s = 0; s < b->samples; s++) left += b->weight[s];
    for (int s = 0; s < b->samples; s++) {
        if (gain + left * b->hope <= enough) return -INFINITY;
        gain += b->weight[s] * (geobleu(b, s, i, c) - b->sum[0][s]);
        left -= b->weight[s];
    }
    return gain;
}

/* Heaviest sample first; equal ones keep their order. */
static void by_weight(Bench *b)
{
    size_t size = (size_t)b->n * sizeof *b->cell;
    int32_t *held = (int32_t *)b->row; /* room for n cells */
    for (int s = 1; s < b->samples; s++) {
        double weight = b->weight[s];
        int at = s;
        while (at > 0 && b->weight[at - 1] < weight) at--;
        if (at == s) continue;
        memcpy(held, b->cell + (size_t)s * b->n, size);
        memmove(b->cell + (size_t)(at + 1) * b->n, b->cell + (size_t)at * b->n, (s - at) * size);
        memmove(b->weight + at + 1, b->weight + at, (size_t)(s - at) * sizeof weight);
        memcpy(b->cell + (size_t)at * b->n, held, size);
        b->weight[at] = weight;
    }
}

/* Sample days of one target day, equal ones joined; those of weight 0 are left out. */
static void gather(Bench *b, int64_t total, const int32_t *samples, int64_t rows, int64_t start,
                   const double *weight)
{
    b->samples = 0;
    for (int64_t j = 0; j < total; j++) {
        const int32_t *cell = samples + j * rows + start;
        int s = 0;
        if (weight[j] <= 0.0) continue;
        while (s < b->samples && memcmp(b->cell + (size_t)s * b->n, cell, b->n * sizeof *cell)) s++;
        if (s == b->samples) {
            memcpy(b->cell + (size_t)s * b->n, cell, b->n * sizeof *cell);
            b->weight[s] = 0.0;
            b->samples++;
        }
        b->weight[s] += weight[j];
    }
    by_weight(b);
}

/* Change one row after the other to the best of its options, until nothing improves. */
static double ascend(Bench *b, const double *own, const int32_t *options, int32_t most,
                     int32_t sweeps, int32_t *day)
{
    double value;
    int quiet = 0;
    for (int s = 0; s < b->samples; s++) settle(b, s, day, 0, 1);
    for (int32_t step = 0; step < sweeps * b->n && quiet < b->n; step++, quiet++) {
        int i = step % b->n, best = day[i];
        double held = own[(size_t)i * b->k + best], gain = 1e-12;
        for (int32_t o = 0; o < most; o++) {
            int32_t c = options[(size_t)i * most + o];
            if (c < 0 || c == day[i]) continue;
            double alone = own[(size_t)i * b->k + c] - held;
            double more = alone + gained(b, i, c, gain - alone);
            if (more > gain) { gain = more; best = c; }
        }
        if (best == day[i]) continue;
        day[i] = best;
        for (int s = 0; s < b->samples; s++) settle(b, s, day, i, 0);
        quiet = -1;
    }
    value = sampled(b);
    for (int i = 0; i < b->n; i++) value += own[(size_t)i * b->k + day[i]];
    return value;
}

/* Better days for one user: `chosen` is read as the start and written as the answer.
 *
 * from, to: the target days to do. days, start: number of target days, and days + 1 offsets into
 * the rows.
 * near, apart: k x k proximities and distances. own: rows x k. options: rows x most cells to try,
 * -1 for none. total, samples, weight: number of sample days, their cells (total x rows), and
 * their weights (days x total; 0 leaves a sample out).
 * bleu, open, closed: weights of GEO-BLEU (n-grams up to `longest`, at most 5) and of both DTW.
 * tolerance: greedy matching ends where the rest cannot add this share of the sum; 0 is exact.
 * hope: a move is given up early where the samples left would have to gain more than hope / n
 * each; infinity never gives up. sweeps: over the rows of a day, at most; 0 only computes values.
 * value: of the answer, one for each day. Returns 0, or -1 where memory ran out.
 */
int humob_decode_days(int64_t from, int64_t to, int64_t days, const int64_t *start, int32_t k,
                      const double *near, const double *apart, const double *own,
                      const int32_t *options, int32_t most, int64_t total,
                      const int32_t *samples, const double *weight, double bleu,
                      double open, double closed, int32_t longest, double tolerance, double hope,
                      int32_t sweeps, int32_t *chosen, double *value)
{
    int64_t rows = start[days];
    size_t n = 1, all = total > 0 ? (size_t)total : 1;
    for (int64_t d = from; d < to; d++)
        if ((size_t)(start[d + 1] - start[d]) > n) n = (size_t)(start[d + 1] - start[d]);
    Bench b = {.k = k, .near = near, .apart = apart, .tolerance = tolerance,
               .bleu = bleu, .open = open, .closed = closed};
    int orders = bleu == 0.0 ? 0 : longest < ORDERS ? longest : ORDERS;
    size_t square = n * n, table = (n + 1) * (n + 1), scratch = (ORDERS + 1) * n + 2 * n + 2 * n + 1;
    size_t floats = all * (1 + ORDERS * (square + n) + 2 + 3 * table) + scratch;
    double *block = malloc(floats * sizeof *block), *next = block;
    b.cell = malloc(all * n * sizeof *b.cell);
    b.at = malloc(n * sizeof *b.at);
    int failed = !block || !b.cell || !b.at;
    if (!failed) {
        b.weight = next; next += all;
        for (int o = 0; o < ORDERS; o++) {
            b.p[o] = next; next += all * square;
            b.top[o] = next; next += all * n;
        }
        for (int o = 0; o < 2; o++) { b.sum[o] = next; next += all; }
        b.forth[0] = next; next += all * table;
        b.forth[1] = next; next += all * table;
        b.back = next; next += all * table;
        b.row = next; next += (ORDERS + 1) * n;
        b.bound = next; next += n;
        b.free = next; next += n;
        b.line = next;
    }
    for (int64_t d = from; d < to && !failed; d++) {
        size_t first = (size_t)start[d];
        b.n = (int)(start[d + 1] - start[d]);
        b.orders = orders < b.n ? orders : b.n;
        b.hope = b.n ? hope / b.n : hope;
        value[d] = 0.0;
        if (b.n == 0) continue;
        gather(&b, total, samples, rows, start[d], weight + d * total);
        value[d] = ascend(&b, own + first * k, options + first * most, most, sweeps,
                          chosen + first);
    }
    free(block); free(b.cell); free(b.at);
    return failed ? -1 : 0;
}
