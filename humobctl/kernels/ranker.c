/* The ranker's weighted counts of a user's records; called once a user, through ctypes.
 *
 * Names: n known rows, r target rows, k cells, Q kernels (a multiple of 4), K kept candidates.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 48
#define GAPS 25

/* Adds the weights of all records to their cells: sums[cell][q], for one target row.
 *
 * The weight of a record is slot * day * gap before * gap after, each looked up in a table whose
 * last axis is the kernel, so that the inner loop runs over the kernels and takes no branch.
 */
static void add_records(int64_t n, int q_count, const int32_t *cell, const int32_t *t,
                        const int32_t *day, const int32_t *before, const int32_t *after,
                        const float *slot_row, const float *day_row, const float *before_row,
                        const float *after_row, float *sums)
{
    for (int64_t i = 0; i < n; i++) {
        const float *s = slot_row + (size_t)t[i] * q_count;
        const float *d = day_row + (size_t)day[i] * q_count;
        const float *b = before_row + (size_t)before[i] * q_count;
        const float *a = after_row + (size_t)after[i] * q_count;
        float *to = sums + (size_t)cell[i] * q_count;
        for (int q = 0; q < q_count; q++) to[q] += s[q] * d[q] * b[q] * a[q];
    }
}

/* Keeps the `keep` cells of the largest score, best first; ties go to the lower index. */
static void keep_best(const float *score, int64_t k, int keep, int32_t *kept)
{
    int found = 0;
    for (int64_t c = 0; c < k; c++) {
        if (found == keep && !(score[c] > score[kept[found - 1]])) continue;
        int at = found < keep ? found++ : keep - 1;
        while (at > 0 && score[c] > score[kept[at - 1]]) {
            kept[at] = kept[at - 1];
            at--;
        }
        kept[at] = (int32_t)c;
    }
}

/* Kernel sums of a user's cells for each target row.
 *
 * Tables: slot (48, 48, Q) by target and record; gap (25, 25, Q) by target and record; by_day
 * (target days, known days, Q); pick (Q) weighs the kernels' shares into the score by which the
 * candidates are kept. Out: kept (r, K); shares (r, K, Q); totals (r, Q); main (r, k), the shares
 * of kernel 0 of all cells. K <= k. Returns 0, or 1 where there is no memory.
 */
int humob_rank_kernels(int64_t n, int64_t r, int64_t k, int32_t q_count, int32_t keep,
                       const int32_t *cell, const int32_t *t, const int32_t *day,
                       const int32_t *before, const int32_t *after, const int32_t *target_t,
                       const int32_t *target_day, const int32_t *target_before,
                       const int32_t *target_after, const float *slot, const float *gap,
                       const float *by_day, int64_t known_days, const float *pick, int32_t *kept,
                       float *shares, float *totals, float *main)
{
    float *sums = malloc((size_t)k * (size_t)q_count * sizeof(float));
    float *score = malloc((size_t)k * sizeof(float));
    if (!sums || !score) {
        free(sums);
        free(score);
        return 1;
    }
    for (int64_t j = 0; j < r; j++) {
        float *total = totals + j * q_count;
        memset(sums, 0, (size_t)k * (size_t)q_count * sizeof(float));
        add_records(n, q_count, cell, t, day, before, after,
                    slot + (size_t)target_t[j] * SLOTS * q_count,
                    by_day + (size_t)target_day[j] * known_days * q_count,
                    gap + (size_t)target_before[j] * GAPS * q_count,
                    gap + (size_t)target_after[j] * GAPS * q_count, sums);
        for (int q = 0; q < q_count; q++) total[q] = 1e-30f;
        for (int64_t c = 0; c < k; c++)
            for (int q = 0; q < q_count; q++) total[q] += sums[c * q_count + q];
        for (int64_t c = 0; c < k; c++) {
            float sum = 0.0f;
            for (int q = 0; q < q_count; q++) {
                float share = sums[c * q_count + q] / total[q];
                sums[c * q_count + q] = share;
                sum += pick[q] * share;
            }
            score[c] = sum;
            main[j * k + c] = sums[c * q_count];
        }
        keep_best(score, k, keep, kept + j * keep);
        for (int a = 0; a < keep; a++)
            memcpy(shares + (j * keep + a) * q_count,
                   sums + (size_t)kept[j * keep + a] * q_count, (size_t)q_count * sizeof(float));
    }
    free(sums);
    free(score);
    return 0;
}
