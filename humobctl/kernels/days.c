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
 * A move changes one row, and so at most o o-grams: pairs of the others with those of a sample are
 * kept in order, nearest first. It changes one row of the cost matrix of DTW: with the tables of best
 * paths from the start to a row and from a row to the end, a move costs O(n) there. No state is kept
 * between calls.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ORDERS = 5, MOST = 64 }; /* rows of a day, at most: sets of rows are the bits of a word */
enum { REACH = 3 };             /* rows beside a changed one that are worth another try */

/* Rows of the day and rows of a sample whose n-grams are as near to each other. */
typedef struct {
    double value;
    uint64_t rows, columns;
} Pair;

/* One day on the bench. Tables of sample s start at s * their size; rows are `n` wide. */
typedef struct {
    int n, samples, k, orders;    /* rows, distinct sample days, cells, longest n-gram */
    double bleu, open, closed, tolerance, hope;
    const double *near, *apart;   /* k x k: proximity, distance in km */
    int32_t *cell;                /* samples x n */
    double *weight;               /* samples */
    uint64_t *equal[ORDERS];      /* samples x n: rows of a sample with the (o+1)-gram of this one,
                                     the first of them; of the others 0 */
    uint64_t *first[ORDERS];      /* samples: the rows that are the first of them */
    uint64_t *paired[ORDERS];     /* samples x n: rows of a sample that are in a pair with this row
                                     of the present day */
    uint64_t *beside;             /* samples x k: rows of a sample that are near enough to a cell to
                                     count, of the cells of the day and those that are tried */
    Pair *pair[ORDERS];           /* samples x (n x n + 1), nearest first; the last has value -1 */
    double *sum[2];               /* samples: GEO-BLEU and DTW of the present day, weighted */
    double *forth[2], *back;      /* samples x (n + 1) x (n + 1): DTW, open and closed; to the end */
    double *reach;                /* samples x k: proximity to the nearest row of the sample, of the
                                     cells that are tried */
    double *gain;                 /* n x options of a row: by a move when it was last tried */
    int32_t changed[MOST];        /* step in which a row was changed last */
    Pair *fresh, *spare;          /* scratch: n x n + 1 */
} Bench;

static inline double least3(double a, double b, double c)
{
    double least = a < b ? a : b;
    return least < c ? least : c;
}

/* Rows from i on, up to `last`, with the same (o+1)-gram as row i. */
static inline uint64_t find_twins(const int32_t *cell, int o, int i, int last)
{
    uint64_t twins = 0;
    for (int z = i; z <= last; z++) twins |= (uint64_t)(cell[z] == cell[i]) << z;
    for (int e = 1; e <= o; e++)
        for (uint64_t left = twins; left; left &= left - 1) {
            int z = __builtin_ctzll(left);
            if (cell[z + e] != cell[i + e]) twins ^= 1ULL << z;
        }
    return twins;
}

/* Put the pairs of some rows, which hold the same (o+1)-gram as row i of the day, among `count` pairs
 * in order; gives their new number, and adds the rows of the sample to `paired`. Pairs too far to count
 * are left out. */
static int add_pairs(const Bench *b, int s, int o, const int32_t *day, int i, uint64_t rows,
                     Pair *pairs, int count, uint64_t *paired)
{
    const int32_t *cell = b->cell + (size_t)s * b->n;
    const uint64_t *equal = b->equal[o] + (size_t)s * b->n, *beside = b->beside + (size_t)s * b->k;
    const double least = b->tolerance * 0.5, *near[ORDERS];
    uint64_t left = b->first[o][s];
    for (int e = 0; e <= o; e++) {
        left &= beside[day[i + e]] >> e;
        near[e] = b->near + (size_t)day[i + e] * b->k;
    }
    for (; left; left &= left - 1) {
        int j = __builtin_ctzll(left);
        double value = near[0][cell[j]];
        for (int e = 1; e <= o; e++) value *= near[e][cell[j + e]];
        if (value < least) continue;
        int z = count++;
        for (; z > 0 && pairs[z - 1].value < value; z--) pairs[z] = pairs[z - 1];
        pairs[z] = (Pair){value, rows, equal[j]};
        *paired |= equal[j];
    }
    pairs[count].value = -1.0;
    return count;
}

/* First and last (o+1)-gram that hold row `at`. */
static inline int first_at(int o, int at) { return at - o < 0 ? 0 : at - o; }
static inline int last_at(const Bench *b, int o, int at)
{
    return at < b->n - o - 1 ? at : b->n - o - 1;
}

/* Rows `first` to `last` as a set. */
static inline uint64_t rows_between(int first, int last)
{
    return first > last ? 0 : ~0ULL >> (MOST - 1 - last + first) << first;
}

/* Sum of greedily matched proximities of (o+1)-grams, nearest first, of the rows of the day but
 * `moved`, and of those by their pairs in `fresh`. Ends early where all that is left cannot add more
 * than `tolerance` times the sum, and passes over the pairs in order once no free row is in a pair
 * with a free row of the sample. */
static double greedy_sum(const Bench *b, int s, int o, uint64_t moved, const Pair *fresh)
{
    int left = b->n - o;
    uint64_t all = rows_between(0, left - 1), columns = all;
    uint64_t rows[2] = {all & ~moved, all & moved}, open = rows[0];
    double sum = 0.0;
    const Pair *old = b->pair[o] + (size_t)s * ((size_t)b->n * b->n + 1);
    const uint64_t *paired = b->paired[o] + (size_t)s * b->n;
    while (left > 0) {
        /* Rows that found no partner are done with: columns only become fewer. */
        open &= rows[0];
        while (open && !(paired[__builtin_ctzll(open)] & columns)) open &= open - 1;
        uint64_t mine = 0, theirs = 0;
        int is_fresh = 0;
        double value = -1.0;
        if (open)
            for (; (value = old->value) >= fresh->value; old++) {
                mine = old->rows & rows[0];
                theirs = old->columns & columns;
                if (((mine != 0) & (theirs != 0)) || value * left <= b->tolerance * sum) break;
            }
        if (!open || value < fresh->value) {
            is_fresh = 1;
            value = fresh->value;
            mine = fresh->rows & rows[1];
            theirs = fresh->columns & columns;
            fresh++;
        } else
            old++;
        if (value * left <= b->tolerance * sum) break;
        for (; mine && theirs; mine &= mine - 1, theirs &= theirs - 1) {
            sum += value;
            left--;
            rows[is_fresh] ^= mine & -mine;
            columns ^= theirs & -theirs;
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

/* GEO-BLEU part of a day that differs from the present one in row `at`; at < 0: the present one. */
static double geobleu(const Bench *b, int s, const int32_t *day, int at)
{
    static const Pair none = {-1.0, 0, 0};
    double q[ORDERS];
    for (int o = 0; o < b->orders; o++) {
        if (at < 0) {
            q[o] = greedy_sum(b, s, o, 0, &none);
            continue;
        }
        int first = first_at(o, at), last = last_at(b, o, at), count = 0;
        uint64_t paired = 0;
        b->fresh[0].value = -1.0;
        for (int i = first; i <= last; i++)
            count = add_pairs(b, s, o, day, i, 1ULL << i, b->fresh, count, &paired);
        q[o] = greedy_sum(b, s, o, rows_between(first, last), b->fresh);
    }
    return combine(b, q);
}

/* Weighted DTW of both dialects with row `i` replaced by cell c. Both go side by side, as each waits for
 * what is to its left. */
static double dtw_moved(const Bench *b, int s, int i, int c)
{
    int n = b->n, wide = n + 1;
    size_t base = (size_t)s * wide * wide, before = base + (size_t)i * wide;
    const int32_t *cell = b->cell + (size_t)s * n;
    const double *after = b->back + before + wide, *head = b->apart + (size_t)c * b->k;
    const double *open = b->forth[0] + before, *closed = b->forth[1] + before;
    double left_open = INFINITY, left_closed = INFINITY;
    double best_open = INFINITY, best_closed = INFINITY;
    for (int j = 0; j < n; j++) {
        double cost = head[cell[j]], rest = after[j] < after[j + 1] ? after[j] : after[j + 1];
        left_open = cost + least3(open[j + 1], open[j], left_open);
        left_closed = cost + least3(closed[j + 1], closed[j], left_closed);
        best_open = left_open + rest < best_open ? left_open + rest : best_open;
        best_closed = left_closed + rest < best_closed ? left_closed + rest : best_closed;
    }
    return b->open * best_open + b->closed * best_closed;
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
    double *open = b->forth[0] + base, *closed = b->forth[1] + base;
    if (from == 0) {
        for (int j = 0; j <= n; j++) {
            open[j] = 0.0;
            closed[j] = INFINITY;
        }
        closed[0] = 0.0;
    }
    for (int i = from; i < n; i++) {
        const double *head = b->apart + (size_t)day[i] * b->k;
        double *over_open = open + (size_t)i * wide, *over_closed = closed + (size_t)i * wide;
        double left_open = INFINITY, left_closed = INFINITY;
        over_open[wide] = over_closed[wide] = INFINITY;
        for (int j = 0; j < n; j++) {
            double cost = head[cell[j]];
            left_open = cost + least3(over_open[j + 1], over_open[j], left_open);
            left_closed = cost + least3(over_closed[j + 1], over_closed[j], left_closed);
            over_open[wide + j + 1] = left_open;
            over_closed[wide + j + 1] = left_closed;
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

/* Pairs of the present day with a sample: those of the rows that row `changed` touches are made anew,
 * or all. */
static void order_pairs(const Bench *b, int s, const int32_t *day, int changed, int all)
{
    for (int o = 0; o < b->orders; o++) {
        int first = all ? 0 : first_at(o, changed), count = 0, many = 0;
        int last = all ? b->n - o - 1 : last_at(b, o, changed);
        uint64_t moved = rows_between(first, last), done = 0;
        Pair *pairs = b->pair[o] + (size_t)s * ((size_t)b->n * b->n + 1), *out = b->spare;
        for (int i = first; i <= last; i++) {
            if (done >> i & 1) continue;
            uint64_t twins = find_twins(day, o, i, last), paired = 0;
            done |= twins;
            count = add_pairs(b, s, o, day, i, twins, b->fresh, count, &paired);
            for (; twins; twins &= twins - 1)
                b->paired[o][(size_t)s * b->n + __builtin_ctzll(twins)] = paired;
        }
        if (all) {
            memcpy(pairs, b->fresh, (size_t)(count + 1) * sizeof *pairs);
            continue;
        }
        const Pair *fresh = b->fresh;
        for (const Pair *old = pairs; old->value >= 0.0; old++) {
            if (!(old->rows & ~moved)) continue;
            while (fresh->value > old->value) out[many++] = *fresh++;
            out[many] = *old;
            out[many++].rows &= ~moved;
        }
        while (fresh->value >= 0.0) out[many++] = *fresh++;
        out[many].value = -1.0;
        memcpy(pairs, out, (size_t)(many + 1) * sizeof *pairs);
    }
}

/* Rows of a sample with the same (o+1)-gram. */
static void find_equal(const Bench *b, int s)
{
    const int32_t *cell = b->cell + (size_t)s * b->n;
    for (int o = 0; o < b->orders; o++) {
        uint64_t *equal = b->equal[o] + (size_t)s * b->n, done = 0;
        b->first[o][s] = 0;
        for (int j = 0; j < b->n - o; j++) {
            equal[j] = 0;
            if (done >> j & 1) continue;
            b->first[o][s] |= 1ULL << j;
            equal[j] = find_twins(cell, o, j, b->n - o - 1);
            done |= equal[j];
        }
    }
}

/* Bring all tables of a sample up to date; its parts of the value are kept. */
static void settle(Bench *b, int s, const int32_t *day, int changed, int all)
{
    if (b->orders) {
        order_pairs(b, s, day, changed, all);
        b->sum[0][s] = geobleu(b, s, day, -1);
    }
    if (b->open != 0.0 || b->closed != 0.0) {
        dtw_tables(b, s, day, all ? 0 : changed, all ? b->n - 1 : changed);
        size_t last = (size_t)(s + 1) * (b->n + 1) * (b->n + 1) - 1;
        b->sum[1][s] = b->open * b->forth[0][last] + b->closed * b->forth[1][last];
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
 * each to reach it; those without a row near c as much less as it is far. */
static double gained(const Bench *b, int32_t *day, int i, int c, double enough)
{
    double gain = 0.0, left = 0.0;
    if (b->open != 0.0 || b->closed != 0.0)
        for (int s = 0; s < b->samples; s++)
            gain += b->weight[s] * (b->sum[1][s] - dtw_moved(b, s, i, c));
    if (!b->orders) return gain;
    int32_t present = day[i];
    day[i] = c;
    const double *reach = b->reach + c;
    for (int s = 0; s < b->samples; s++) left += b->weight[s] * reach[(size_t)s * b->k];
    for (int s = 0; s < b->samples; s++) {
        if (gain + left * b->hope <= enough) {
            gain = -INFINITY;
            break;
        }
        gain += b->weight[s] * (geobleu(b, s, day, i) - b->sum[0][s]);
        left -= b->weight[s] * reach[(size_t)s * b->k];
    }
    day[i] = present;
    return gain;
}

/* How near the rows of a sample come to a cell, where that was not found before. */
static void find_near(Bench *b, int s, int32_t c)
{
    double *reach = b->reach + (size_t)s * b->k + c;
    uint64_t *beside = b->beside + (size_t)s * b->k + c;
    const double *near = b->near + (size_t)c * b->k, least = b->tolerance * 0.5;
    const int32_t *cell = b->cell + (size_t)s * b->n;
    if (*reach >= 0.0) return;
    *reach = 0.0;
    *beside = 0;
    for (int j = 0; j < b->n; j++) {
        double value = near[cell[j]];
        *reach = value > *reach ? value : *reach;
        *beside |= (uint64_t)(value >= least) << j;
    }
}

/* How near the samples come to the cells of the day and to those that are tried. */
static void find_reach(Bench *b, const int32_t *day, const int32_t *options, int32_t most)
{
    for (int s = 0; s < b->samples; s++) {
        double *reach = b->reach + (size_t)s * b->k;
        for (int i = 0; i < b->n; i++) reach[day[i]] = -1.0;
        for (int32_t o = 0; o < b->n * most; o++)
            if (options[o] >= 0) reach[options[o]] = -1.0;
        for (int i = 0; i < b->n; i++) find_near(b, s, day[i]);
        for (int32_t o = 0; o < b->n * most; o++)
            if (options[o] >= 0) find_near(b, s, options[o]);
    }
}

/* Heaviest sample first; equal ones keep their order. */
static void by_weight(Bench *b)
{
    size_t size = (size_t)b->n * sizeof *b->cell;
    int32_t held[MOST];
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

/* Change one row after the other to the best of its options, until nothing improves. A move that
 * was given up, or lost more than `hope`, is tried again only where a row nearby has changed. */
static double ascend(Bench *b, const double *own, const int32_t *options, int32_t most,
                     int32_t sweeps, int32_t *day)
{
    double value;
    int quiet = 0;
    find_reach(b, day, options, most);
    for (int s = 0; s < b->samples; s++) {
        find_equal(b, s);
        settle(b, s, day, 0, 1);
    }
    for (int32_t o = 0; o < b->n * most; o++) b->gain[o] = 0.0;
    for (int i = 0; i < b->n; i++) b->changed[i] = -MOST;
    for (int32_t step = 0; step < sweeps * b->n && quiet < b->n; step++, quiet++) {
        int i = step % b->n, best = day[i], again = 0;
        double held = own[(size_t)i * b->k + best], gain = 1e-12;
        for (int z = i - REACH < 0 ? 0 : i - REACH; z <= i + REACH && z < b->n; z++)
            again |= b->changed[z] > step - b->n;
        for (int32_t o = 0; o < most; o++) {
            int32_t c = options[(size_t)i * most + o];
            double *last = b->gain + (size_t)i * most + o;
            if (c < 0 || c == day[i] || (*last < -b->hope && !again)) continue;
            double alone = own[(size_t)i * b->k + c] - held;
            *last = alone + gained(b, day, i, c, gain - alone);
            if (*last > gain) { gain = *last; best = c; }
        }
        if (best == day[i]) continue;
        day[i] = best;
        for (int s = 0; s < b->samples; s++) settle(b, s, day, i, 0);
        quiet = -1;
        b->changed[i] = step;
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
 * value: of the answer, one for each day. Returns 0, or -1 where memory ran out or a day has more
 * than 64 rows (a user has at most 48 slots a day).
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
    if (n > MOST) return -1;
    size_t pairs = n * n + 1, table = (n + 1) * (n + 1);
    size_t floats = all * (3 + 3 * table + (size_t)k) + n * (size_t)most + 1;
    double *block = malloc(floats * sizeof *block), *next = block;
    Pair *lists = malloc((all * (size_t)orders + 2) * pairs * sizeof *lists), *list = lists;
    uint64_t *sets = malloc(all * (ORDERS * (2 * n + 1) + (size_t)k) * sizeof *sets), *set = sets;
    b.cell = malloc(all * n * sizeof *b.cell);
    int failed = !block || !lists || !sets || !b.cell;
    if (!failed) {
        b.weight = next; next += all;
        for (int o = 0; o < orders; o++) {
            b.pair[o] = list; list += all * pairs;
            b.equal[o] = set; set += all * n;
            b.first[o] = set; set += all;
            b.paired[o] = set; set += all * n;
        }
        b.beside = set;
        b.fresh = list; b.spare = list + pairs;
        for (int o = 0; o < 2; o++) { b.sum[o] = next; next += all; }
        b.forth[0] = next; next += all * table;
        b.forth[1] = next; next += all * table;
        b.back = next; next += all * table;
        b.reach = next; next += all * (size_t)k;
        b.gain = next;
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
    free(block); free(lists); free(sets); free(b.cell);
    return failed ? -1 : 0;
}
