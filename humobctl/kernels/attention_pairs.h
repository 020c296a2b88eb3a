/* `attend` for heads of WIDTH numbers in bf16, two of which are multiplied at a time; included by
 * attention.c, which has the types. Sums are floats, weights are rounded to bf16. */
#include <immintrin.h>

/* sum += pairs of `some` * the pair at `pair`. Compilers load the pair by an instruction of its
 * own, which costs a quarter of the speed. */
#define ADD_PAIRS(sum, some, pair) \
    __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(some), "m"(pair))

/* Add up the scores of the keys from number `first` on. */
#define SCORE(score, first)                                                     \
    UNROLLED                                                                    \
    for (int i = 0; i < PAIRS; i++) {                                           \
        __m512i key = _mm512_loadu_si512(keys + (size_t)i * padded + (first));  \
        UNROLLED                                                                \
        for (int r = 0; r < ROWS; r++) ADD_PAIRS(score[r], key, queries[r * PAIRS + i]); \
    }

TARGET static void VERSION(attend)(const struct head *head, const void *query, const float *shift,
                          float scale, float *found)
{
    enum { PAIRS = WIDTH / 2, PARTS = WIDTH / LANES };
    const int seen = head->seen, padded = head->padded;
    const uint32_t *keys = head->keys, *values = head->values;
    uint32_t queries[ROWS * PAIRS], weight[ROWS][LANES / 2];
    float sums[ROWS][LANES] = {{0}};
    memcpy(queries, query, sizeof queries);
    __m512 mixed[PARTS][ROWS], score[ROWS];
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < PARTS; i++) mixed[i][r] = _mm512_setzero_ps();
        score[r] = _mm512_setzero_ps();
    }
    if (PARTS == 1) SCORE(score, 0);
    for (int j = 0; j < padded; j += LANES) {
        const __mmask16 there = seen - j >= LANES ? 0xffff : (__mmask16)((1 << (seen - j)) - 1);
        const int next = j + LANES < padded ? j + LANES : 0;
        __m512i some[PAIRS];
        if (PARTS > 1) SCORE(score, j);
        UNROLLED
        for (int i = 0; i < PAIRS && PARTS == 1; i++)
            some[i] = _mm512_loadu_si512(keys + (size_t)i * padded + next);
        UNROLLED
        for (int r = 0; r < ROWS; r++) {
            __m512 x = _mm512_fmsub_ps(score[r], _mm512_set1_ps(scale), _mm512_set1_ps(shift[r]));
            /* The next block's scores are added up while this one's become weights, so that neither
             * waits; wider heads have no registers for it. */
            score[r] = _mm512_setzero_ps();
            UNROLLED
            for (int i = 0; i < PAIRS && PARTS == 1; i++)
                ADD_PAIRS(score[r], some[i], queries[r * PAIRS + i]);
            /* 2^x = 2^n 2^f with n <= x < n + 1; the polynomial has 2^f to 1e-4, a twentieth of
             * what rounding to bf16 changes. */
            __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
            __m512 p = _mm512_fmadd_ps(f, _mm512_set1_ps(0.0780245f), _mm512_set1_ps(0.2260672f));
            p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.6958335f));
            p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.9999252f));
            p = _mm512_maskz_scalef_ps(there, p, x);
            _mm512_storeu_ps(sums[r], _mm512_add_ps(_mm512_loadu_ps(sums[r]), p));
            __m256bh half = _mm512_cvtneps_pbh(p);
            memcpy(weight[r], &half, sizeof half);
        }
        UNROLLED
        for (int l = 0; l < LANES / 2; l++) {
            UNROLLED
            for (int i = 0; i < PARTS; i++) {
                __m512i pair = _mm512_loadu_si512(values + (size_t)(j / 2 + l) * WIDTH + i * LANES);
                UNROLLED
                for (int r = 0; r < ROWS; r++) ADD_PAIRS(mixed[i][r], pair, weight[r][l]);
            }
        }
    }
    for (int r = 0; r < ROWS; r++) {
        float total = _mm512_reduce_add_ps(_mm512_loadu_ps(sums[r]));
        for (int i = 0; i < PARTS; i++) {
            __m512 share = _mm512_div_ps(mixed[i][r], _mm512_set1_ps(total));
            _mm512_storeu_ps(found + r * WIDTH + i * LANES, share);
        }
    }
}
#undef ADD_PAIRS
#undef SCORE

#define PAIRED 1
#include "attention_span.h"
