/* Day-by-day GEO-BLEU and DTW.
 *
 * Loaded with ctypes (evaluate/cells/kernels.py). Everything is float64 and in the order of operations of the
 * official scorer, so that results agree with it to the last bit: proximities come from a table
 * that numpy filled, n-gram proximities are multiplied left to right, greedy ties go to the lower
 * generated index, then to the lower reference index.
 *
 * Names: g = generated, r = reference, n = number of generated points of a day, m = of reference.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "largest.h"

/* Sum of the proximities of greedily matched pairs, nearest first.
 *
 * p is row-major, n rows of `stride`; the first m columns are used. bound[i] is an upper bound of
 * row i's largest free proximity. Only a row that comes out on top while no free column holds its
 * bound is searched again, so the usual day costs O(n m). open[j] is 1 for a free column and -1
 * for a taken one: a product with it is exact, and takes no branch.
 */
static double greedy_sum(const double *p, int n, int m, int stride, double *bound, double *open,
                         double *row_free)
{
    int matches = n < m ? n : m;
    double sum = 0.0;
    for (int j = 0; j < m; j++) open[j] = 1.0;
    for (int i = 0; i < n; i++) bound[i] = largest(p + (size_t)i * stride, m);
    while (matches > 0) {
        double top = largest(bound, n);
        int i = 0, j = 0;
        while (bound[i] != top) i++;
        const double *row = p + (size_t)i * stride;
        while (j < m && row[j] * open[j] != top) j++;
        if (j < m) {
            sum += top;
            open[j] = -1.0;
            bound[i] = -1.0;
            matches--;
        } else {
            for (j = 0; j < m; j++) row_free[j] = row[j] * open[j];
            bound[i] = largest(row_free, m);
        }
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
    double *bound = malloc(most_n * sizeof *bound), *open = malloc(most_m * sizeof *open);
    int failed = !p1 || !pn || !cost || !row || !bound || !open;

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
            out[order - 1] = greedy_sum(p, rows, columns, m, bound, open, row);
        }
    }
    free(p1); free(pn); free(cost); free(row); free(bound); free(open);
    return failed ? -1 : 0;
}
