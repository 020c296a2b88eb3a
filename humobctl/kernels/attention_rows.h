/* One version of ATTEND, for heads of WIDTH numbers and the instructions of TARGET; included by
 * attention.c, which has the types. Unlike scores, whose bits have to be the same everywhere, these
 * sums may be fused: they are a network's activations, to a few units in the last place. */

#ifdef __clang__
#define FUSED
#else
#define FUSED __attribute__((optimize("fp-contract=fast")))
#endif

/* What ROWS queries (ROWS, D) find in a head: out (ROWS, D). Queries are scaled for powers of 2. */
TARGET FUSED static void ATTEND(const struct head *head, const float *query, const float *shift,
                                float *out)
{
#ifdef __clang__
#pragma clang fp contract(fast)
#endif
    enum { PARTS = WIDTH / LANES };
    const int seen = head->seen, padded = head->padded;
    lanes mixed[PARTS][ROWS] = {{{0}}}, sum[ROWS] = {{0}};
    float weight[ROWS][LANES];
    for (int j = 0; j < padded; j += LANES) {
        lanes score[ROWS];
        for (int r = 0; r < ROWS; r++) score[r] = (lanes){0} - shift[r];
        for (int i = 0; i < WIDTH; i++) {
            lanes some;
            memcpy(&some, head->keys + (size_t)i * padded + j, sizeof some);
            for (int r = 0; r < ROWS; r++) score[r] += some * query[r * WIDTH + i];
        }
        if (j + LANES > seen)
            for (int r = 0; r < ROWS; r++)
                for (int l = seen - j; l < LANES; l++) score[r][l] = UNSEEN;
        for (int r = 0; r < ROWS; r++) {
            /* 2^x = 2^n 2^f with -1/2 <= f <= 1/2: adding 1.5 * 2^23 rounds x to n in the last
             * bits, and Taylor's polynomial of degree 5 has 2^f to 3e-6. */
            whole kept = score[r] > -125.0f;
            lanes x = (lanes)((whole)score[r] & kept);
            lanes rounded = x + 12582912.0f;
            lanes f = x - (rounded - 12582912.0f);
            lanes p = f * 0.0013333558f + 0.0096181291f;
            p = p * f + 0.0555041087f;
            p = p * f + 0.2402265070f;
            p = p * f + 0.6931471806f;
            p = p * f + 1.0f;
            p = (lanes)(((whole)p + ((whole)rounded << 23)) & kept);
            sum[r] += p;
            memcpy(weight[r], &p, sizeof p);
        }
        for (int l = 0; l < LANES; l++) {
            for (int i = 0; i < PARTS; i++) {
                lanes some;
                memcpy(&some, head->values + (size_t)(j + l) * WIDTH + i * LANES, sizeof some);
                for (int r = 0; r < ROWS; r++) mixed[i][r] += some * weight[r][l];
            }
        }
    }
    for (int r = 0; r < ROWS; r++) {
        float total = 0;
        for (int l = 0; l < LANES; l++) total += sum[r][l];
        for (int i = 0; i < PARTS; i++) {
            lanes share = mixed[i][r] / total;
            memcpy(out + r * WIDTH + i * LANES, &share, sizeof share);
        }
    }
}
#undef ATTEND
#undef WIDTH
#undef FUSED
