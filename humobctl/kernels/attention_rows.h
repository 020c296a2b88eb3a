/* One version of `attend`, for heads of WIDTH numbers, the instructions of TARGET and vectors of
 * LANES numbers; included by attention.c, which has the types. ROWS queries and VECTORS vectors of
 * keys at a time leave as many sums as there are registers for. Unlike scores, whose bits have to be
 * the same everywhere, these sums may be fused: they are a network's activations, to a few units in
 * the last place. */

#define lanes VECTOR(float, LANES)
#define whole VECTOR(int32_t, LANES)

/* Weights of VECTORS vectors of keys from number `first` on, and their sums. */
TARGET FUSED INLINE void VERSION(weigh)(const struct head *head, const float *scaled,
                                        const float *shift, int first, float *weight, float *sum)
{
    FUSE
    const float *keys = (const float *)head->keys + first;
    lanes score[VECTORS][ROWS];
    UNROLLED
    for (int v = 0; v < VECTORS; v++) {
        UNROLLED
        for (int r = 0; r < ROWS; r++) score[v][r] = (lanes){0} - shift[r];
    }
    for (int i = 0; i < WIDTH; i++, keys += head->padded) {
        lanes some[VECTORS];
        UNROLLED
        for (int v = 0; v < VECTORS; v++) memcpy(&some[v], keys + v * LANES, sizeof some[v]);
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            const lanes by = scaled[i * ROWS + r] - (lanes){0};
            UNROLLED
            for (int v = 0; v < VECTORS; v++) score[v][r] += some[v] * by;
        }
    }
    if (head->shifted || first + LANES * VECTORS > head->seen) {
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            whole there;
            memcpy(&there, COUNTED + v * LANES, sizeof there);
            there = there < head->seen - first;
            UNROLLED
            for (int r = 0; r < ROWS; r++) {
                whole kept = there & (score[v][r] > LEAST);
                whole least = (whole)(LEAST - (lanes){0}) & ~kept;
                score[v][r] = (lanes)(((whole)score[v][r] & kept) | least);
            }
        }
    }
    UNROLLED
    for (int r = 0; r < ROWS; r++) {
        lanes total;
        memcpy(&total, sum + r * LANES, sizeof total);
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            lanes rounded = score[v][r] + ROUNDER;
            lanes f = score[v][r] - (rounded - ROUNDER), p = POWER_OF_2(f);
            p = (lanes)((whole)p + ((whole)rounded << 23));
            total += p;
            memcpy(weight + r * KEYS + v * LANES, &p, sizeof p);
        }
        memcpy(sum + r * LANES, &total, sizeof total);
    }
}

/* Add `count` weighted values, VECTORS vectors of each, to what the queries found. */
TARGET FUSED INLINE void VERSION(mix)(const float *values, int count, const float *weight,
                                      float *found)
{
    FUSE
    lanes mixed[VECTORS][ROWS];
    UNROLLED
    for (int v = 0; v < VECTORS; v++) {
        UNROLLED
        for (int r = 0; r < ROWS; r++)
            memcpy(&mixed[v][r], found + r * WIDTH + v * LANES, sizeof(lanes));
    }
    for (int j = 0; j < count; j++, values += WIDTH) {
        lanes some[VECTORS];
        UNROLLED
        for (int v = 0; v < VECTORS; v++) memcpy(&some[v], values + v * LANES, sizeof some[v]);
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            const lanes by = weight[r * KEYS + j] - (lanes){0};
            UNROLLED
            for (int v = 0; v < VECTORS; v++) mixed[v][r] += some[v] * by;
        }
    }
    UNROLLED
    for (int v = 0; v < VECTORS; v++) {
        UNROLLED
        for (int r = 0; r < ROWS; r++)
            memcpy(found + r * WIDTH + v * LANES, &mixed[v][r], sizeof(lanes));
    }
}

TARGET FUSED static void VERSION(attend)(const struct head *head, const void *query,
                                         const float *shift, float scale, float *found)
{
    enum { STEP = LANES * VECTORS };
    float scaled[WIDTH * ROWS], weight[ROWS * KEYS], sum[ROWS * LANES] = {0};
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < WIDTH; i++)
            scaled[i * ROWS + r] = scale * ((const float *)query)[r * WIDTH + i];
    memset(found, 0, sizeof(float) * ROWS * WIDTH);
    for (int first = 0; first < head->padded; first += KEYS) {
        const int count = head->padded - first < KEYS ? head->padded - first : KEYS;
        for (int j = 0; j < count; j += STEP)
            VERSION(weigh)(head, scaled, shift, first + j, weight + j, sum);
        const float *values = (const float *)head->values + (size_t)first * WIDTH;
        for (int i = 0; i < WIDTH; i += STEP) VERSION(mix)(values + i, count, weight, found + i);
    }
    for (int r = 0; r < ROWS; r++) {
        float total = 0;
        for (int l = 0; l < LANES; l++) total += sum[r * LANES + l];
        for (int i = 0; i < WIDTH; i++) found[r * WIDTH + i] /= total;
    }
}

#define PAIRED 0
#include "attention_span.h"
#undef lanes
#undef whole
