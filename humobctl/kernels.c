/* Kernels in C: day-by-day GEO-BLEU and DTW, and the seen-before bitmap of the data layer.
 *
 * Loaded with ctypes (see native.py). Everything is float64 and in the order of operations of the
 * official scorer, so that results agree with it to the last bit: proximities come from a table
 * that numpy filled, n-gram proximities are multiplied left to right, greedy ties go to the lower
 * generated index, then to the lower reference index.
 *
 * Names: g = generated, r = reference, n = number of generated points of a day, m = of reference.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* Sum of the proximities of greedily matched pairs, nearest first.
 *
 * p is row-major, n rows of `stride`; the first m columns are used. best[i] is an upper bound of
 * row i's largest free proximity: it is exact while column best_j[i] is free. Only a row that
 * comes out on top with its column taken is searched again, so the usual day costs O(n m).
 */
static double greedy_sum(const double *p, int n, int m, int stride, double *best, int *best_j,
                         unsigned char *taken)
{
    int matches = n < m ? n : m;
    double sum = 0.0;
    for (int j = 0; j < m; j++) taken[j] = 0;
    for (int i = 0; i < n; i++) {
        const double *row = p + (size_t)i * stride;
        int arg = 0;
        for (int j = 1; j < m; j++) if (row[j] > row[arg]) arg = j;
        best[i] = row[arg];
        best_j[i] = arg;
    }
    while (matches > 0) {
        int i = 0;
        for (int k = 1; k < n; k++) if (best[k] > best[i]) i = k;
        if (!taken[best_j[i]]) {
            sum += best[i];
            taken[best_j[i]] = 1;
            best[i] = -1.0;
            matches--;
            continue;
        }
        const double *row = p + (size_t)i * stride;
        int j = best_j[i] + 1, arg = -1;
        /* An equal proximity further right is the commonest case: the same cell once more. */
        for (; j < m; j++) if (!taken[j] && row[j] == best[i]) { arg = j; break; }
        if (arg < 0)
            for (j = 0; j < m; j++) if (!taken[j] && (arg < 0 || row[j] > row[arg])) arg = j;
        best[i] = row[arg];
        best_j[i] = arg;
    }
    return sum;
}

/* DTW of a cost matrix; `open_start` leaves row 0 at zero, so a prefix of the reference is free. */
static double dtw(const double *cost, int n, int m, int open_start, double *row)
{
    row[0] = 0.0;
    for (int j = 1; j <= m; j++) row[j] = open_start ? 0.0 : INFINITY;
    for (int i = 1; i <= n; i++) {
        const double *c = cost + (size_t)(i - 1) * m;
        double diagonal = row[0], left = INFINITY;
        row[0] = INFINITY;
        for (int j = 1; j <= m; j++) {
            double up = row[j];
            double least = up < left ? up : left;
            if (diagonal < least) least = diagonal;
            diagonal = up;
            left = c[j - 1] + least;
            row[j] = left;
        }
    }
    return row[m];
}

/* Scores of many user-days.
 *
 * g_start, r_start: n_days + 1 offsets into gx, gy and rx, ry. proximity, distance: width x width
 * tables by |dx| and |dy|; a longer step is computed. Any output may be NULL.
 * sums: n_days x max_n sums of matched n-gram proximities (0 where a day is shorter than n).
 * Returns 0, or -1 where memory ran out.
 */
int humob_score_days(int64_t n_days, const int64_t *g_start, const int64_t *r_start,
                     const int32_t *gx, const int32_t *gy, const int32_t *rx, const int32_t *ry,
                     const double *proximity, const double *distance, int32_t width, double beta,
                     double scale, int32_t max_n, double *sums, double *dtw_open,
                     double *dtw_closed)
{
    int64_t most_n = 1, most_m = 1;
    for (int64_t d = 0; d < n_days; d++) {
        int64_t n = g_start[d + 1] - g_start[d], m = r_start[d + 1] - r_start[d];
        if (n > most_n) most_n = n;
        if (m > most_m) most_m = m;
    }
    size_t cells = (size_t)most_n * most_m;
    double *p1 = malloc(cells * sizeof *p1), *pn = malloc(cells * sizeof *pn);
    double *cost = malloc(cells * sizeof *cost), *row = malloc((most_m + 1) * sizeof *row);
    double *best = malloc(most_n * sizeof *best);
    int *best_j = malloc(most_n * sizeof *best_j);
    unsigned char *taken = malloc(most_m);
    int failed = !p1 || !pn || !cost || !row || !best || !best_j || !taken;

    for (int64_t d = 0; d < n_days && !failed; d++) {
        const int32_t *ax = gx + g_start[d], *ay = gy + g_start[d];
        const int32_t *bx = rx + r_start[d], *by = ry + r_start[d];
        int n = (int)(g_start[d + 1] - g_start[d]), m = (int)(r_start[d + 1] - r_start[d]);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < m; j++) {
                int dx = abs(ax[i] - bx[j]), dy = abs(ay[i] - by[j]);
                size_t at = (size_t)i * m + j;
                if (dx < width && dy < width) {
                    p1[at] = proximity[dx * width + dy];
                    cost[at] = distance[dx * width + dy];
                } else {
                    double length = sqrt((double)dx * dx + (double)dy * dy);
                    p1[at] = exp(-beta * length);
                    cost[at] = length / scale;
                }
            }
        if (dtw_open) dtw_open[d] = dtw(cost, n, m, 1, row);
        if (dtw_closed) dtw_closed[d] = dtw(cost, n, m, 0, row);
        if (!sums) continue;
        double *out = sums + d * max_n;
        for (int order = 1; order <= max_n; order++) {
            int rows = n - order + 1, columns = m - order + 1;
            if (rows < 1 || columns < 1) { out[order - 1] = 0.0; continue; }
            const double *p = p1;
            if (order > 1) {
                const double *shorter = order == 2 ? p1 : pn;
                for (int i = 0; i < rows; i++) {
                    const double *last = p1 + (size_t)(i + order - 1) * m + order - 1;
                    for (int j = 0; j < columns; j++)
                        pn[(size_t)i * m + j] = shorter[(size_t)i * m + j] * last[j];
                }
                p = pn;
            }
            out[order - 1] = greedy_sum(p, rows, columns, m, best, best_j, taken);
        }
    }
    free(p1); free(pn); free(cost); free(row); free(best); free(best_j); free(taken);
    return failed ? -1 : 0;
}

/* Sets bits[key] for each key in turn; returns the index of the first key that was set already,
 * or -1. */
int64_t humob_mark_seen(uint8_t *bits, const int64_t *keys, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        uint8_t *byte = bits + (keys[k] >> 3), bit = (uint8_t)(1u << (keys[k] & 7));
        if (*byte & bit) return k;
        *byte |= bit;
    }
    return -1;
}
