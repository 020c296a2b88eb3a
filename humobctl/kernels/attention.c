/* Attention without dropout, for narrow heads; called from threads, through ctypes.
 *
 * Names: D numbers a head (16 or 32); a span is the rows of one window, which see each other.
 *
 * torch's attention on a CPU is made for heads of 64 numbers and more: at 16, packing them for its
 * matrix products and going over the scores again takes it longer than the products do. Here a few
 * queries at a time see all keys of a head, and their scores become weights in registers. Each
 * version of `attend` (attention_rows.h; attention_pairs.h for products of bf16) is compiled for
 * other instructions and with as many queries and keys at a time as those have registers for:
 * vectors longer than a processor's cost ten times as much as torch's attention.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "processor.h"
#include "vectors.h"

#define BLOCK 16 /* keys, a multiple of which there is memory for */
#define KEYS 64  /* whose weights are made before values are added up; a multiple of BLOCK */
#define WIDEST 32
#define UNSEEN -1e30f
#define LARGE 60.0f
#define LEAST -126.0f /* of whose powers of 2 a float has all digits */

static const int32_t COUNTED[BLOCK] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* The keys and values of one head, as floats or as pairs of bf16 (`paired`).
 *
 * keys: (D, padded), one number of all keys side by side; in pairs (D / 2, padded), two.
 * values: (padded, D); in pairs (padded / 2, D), a number of two values side by side.
 */
struct head {
    void *keys, *values;
    int seen, padded;
    float longest; /* of the keys, squared */
    int shifted;   /* whether scores may be below LEAST */
};

/* Rows are `query_step` and `step` numbers apart and hold their heads side by side. */
struct rows {
    int64_t query_step, step, out_step;
    const void *query, *key, *value;
    void *out;
    int bf16;
};

/* `n` numbers of either type as floats. */
INLINE void widen(const void *from, int64_t at, int n, int bf16, float *to)
{
    if (!bf16) {
        memcpy(to, (const float *)from + at, sizeof(float) * (size_t)n);
        return;
    }
    for (int i = 0; i < n; i++) to[i] = widened(((const uint16_t *)from)[at + i]);
}

/* Floats as either type. */
INLINE void narrow(const float *from, int n, int bf16, void *to, int64_t at)
{
    if (!bf16) {
        memcpy((float *)to + at, from, sizeof(float) * (size_t)n);
        return;
    }
    for (int i = 0; i < n; i++) ((uint16_t *)to)[at + i] = narrowed(from[i]);
}

/* Number `i` of key `j`. */
INLINE float key_of(const struct head *head, int i, int j, int paired)
{
    size_t at = (size_t)(paired ? i / 2 : i) * (size_t)head->padded + (size_t)j;
    if (!paired) return ((const float *)head->keys)[at];
    uint32_t pair = ((const uint32_t *)head->keys)[at];
    return widened((uint16_t)(i % 2 ? pair >> 16 : pair));
}

/* Put a key and a value in their places, the value only where it is one of many. */
INLINE void put(struct head *head, int at, const struct rows *rows, int64_t from, int width,
                int paired)
{
    size_t padded = (size_t)head->padded, place = (size_t)at;
    if (!paired) {
        float one[WIDEST], *keys = head->keys;
        widen(rows->key, from, width, rows->bf16, one);
        for (int i = 0; i < width; i++) keys[(size_t)i * padded + place] = one[i];
        widen(rows->value, from, width, rows->bf16, (float *)head->values + place * (size_t)width);
        return;
    }
    uint32_t *keys = head->keys;
    for (int i = 0; i < width / 2; i++)
        memcpy(keys + (size_t)i * padded + place, (const uint16_t *)rows->key + from + 2 * i, 4);
    const uint16_t *numbers = (const uint16_t *)rows->value + from;
    uint32_t *values = (uint32_t *)head->values + place / 2 * (size_t)width;
    /* The lower half is the even value's, which comes first. */
    for (int i = 0; i < width; i++)
        values[i] = at % 2 ? values[i] | (uint32_t)numbers[i] << 16 : numbers[i];
}

/* The squared length of the longest key. */
INLINE float longest_of(const struct head *head, int width, int paired)
{
    float longest = 0, length[BLOCK];
    for (int j = 0; j < head->padded; j += BLOCK) {
        memset(length, 0, sizeof length);
        for (int i = 0; i < width; i++)
            for (int l = 0; l < BLOCK; l++) {
                float number = key_of(head, i, j + l, paired);
                length[l] += number * number;
            }
        for (int l = 0; l < BLOCK; l++) longest = length[l] > longest ? length[l] : longest;
    }
    return longest;
}

/* Take up the keys and values of `seen` rows from number `from` on. */
INLINE void fill(struct head *head, int seen, const struct rows *rows, int64_t from, int width,
                 int paired)
{
    head->seen = seen;
    head->padded = (seen + BLOCK - 1) / BLOCK * BLOCK;
    /* What lies beyond the last key is multiplied by nothing, but has to be a number. */
    size_t bytes = (paired ? 2 : 4) * (size_t)head->padded * (size_t)width;
    memset(head->keys, 0, bytes);
    memset(head->values, 0, bytes);
    for (int j = 0; j < seen; j++) put(head, j, rows, from + j * rows->step, width, paired);
    head->longest = longest_of(head, width, paired);
}

/* What to take off the scores of queries (rows, D), so that no power of 2 overflows: nothing where
 * lengths say that none can, else the largest score of each. */
INLINE void shifts_of(struct head *head, const float *query, int rows, float scale, int width,
                      int paired, float *shift)
{
    float most[WIDEST] = {0}, sum = 0;
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < width; i++) {
            float size = fabsf(query[r * width + i]);
            most[i] = size > most[i] ? size : most[i];
        }
    for (int i = 0; i < width; i++) sum += most[i] * most[i];
    memset(shift, 0, sizeof(float) * (size_t)rows);
    head->shifted = scale * scale * sum * head->longest > LARGE * LARGE;
    if (!head->shifted) return;
    for (int r = 0; r < rows; r++) {
        shift[r] = UNSEEN;
        for (int j = 0; j < head->seen; j++) {
            float score = 0;
            for (int i = 0; i < width; i++)
                score += query[r * width + i] * key_of(head, i, j, paired);
            shift[r] = scale * score > shift[r] ? scale * score : shift[r];
        }
    }
}

/* Attention of one head of a span; its first number in a row is number `number`. */
typedef void attention(struct head *, const struct rows *, const int64_t *span, int64_t number);

#define TARGET
#define LANES 4
#define VECTORS 2
#define ROWS 6
#define WIDTH 16
#define VERSION(name) name##_16_any
#include "attention_rows.h"
#define WIDTH 32
#define VERSION(name) name##_32_any
#include "attention_rows.h"
#undef TARGET
#undef LANES

#ifdef HAS_VERSIONS
#define TARGET TARGET_AVX2
#define LANES 8
#define WIDTH 16
#define VERSION(name) name##_16_avx2
#include "attention_rows.h"
#define WIDTH 32
#define VERSION(name) name##_32_avx2
#include "attention_rows.h"
#undef TARGET
#undef LANES
#undef VECTORS
#undef ROWS

#define LANES 16
#define VECTORS 1
#define ROWS 8
#define TARGET TARGET_AVX512
#define WIDTH 16
#define VERSION(name) name##_16_avx512
#include "attention_rows.h"
#define WIDTH 32
#define VERSION(name) name##_32_avx512
#include "attention_rows.h"
#undef TARGET

#if defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11
#define HAS_PAIRS 1
#define TARGET TARGET_AVX512_BF16
#define WIDTH 16
#define VERSION(name) name##_16_pairs
#include "attention_pairs.h"
#define WIDTH 32
#define VERSION(name) name##_32_pairs
#include "attention_pairs.h"
#undef TARGET
#endif
#endif

static attention *best_span(int version, int width, int bf16)
{
#ifdef HAS_PAIRS
    if (version >= AVX512_BF16 && bf16) return width == 16 ? span_16_pairs : span_32_pairs;
#endif
    (void)bf16;
    return width == 16 ? CHOSEN(span_16, version) : CHOSEN(span_32, version);
}

/* Attention of the pairs of span and head from `first` to `last`, counted span by span.
 *
 * query, key, value: bf16 or float32; rows are `query_step` and `step` numbers apart and hold
 * their heads side by side. spans (B, 4): first row and number of the queries, first row and
 * number of the keys. out: rows as in query, contiguous. A span without keys gives nothing.
 * version: of processor.h. Returns 0, or 1 where there is no memory.
 */
int humob_attend(int64_t first, int64_t last, int32_t version, int32_t heads, int32_t width,
                 int32_t bf16, int64_t query_step, int64_t step, const void *query,
                 const void *key, const void *value, const int64_t *spans, void *out)
{
    struct rows rows = {query_step, step, (int64_t)heads * width, query, key, value, out, bf16};
    int64_t most = 0;
    for (int64_t item = first; item < last; item++) {
        int64_t keys = spans[item / heads * 4 + 3];
        most = keys > most ? keys : most;
    }
    size_t bytes = sizeof(float) * (size_t)(most + BLOCK) * (size_t)width;
    char *memory = malloc(2 * bytes);
    if (!memory) return 1;
    struct head head = {memory, memory + bytes, 0, 0, 0, 0};
    attention *best = best_span(version, width, bf16);
    for (int64_t item = first; item < last; item++) {
        const int64_t *span = spans + item / heads * 4;
        if (span[3] > 0) best(&head, &rows, span, item % heads * width);
    }
    free(memory);
    return 0;
}
