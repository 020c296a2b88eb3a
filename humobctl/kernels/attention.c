/* Attention without dropout, for narrow heads; called from threads, through ctypes.
 *
 * Names: B windows, S queries, T keys, H heads, D numbers a head (16 or 32).
 *
 * torch's attention on a CPU is made for heads of 64 numbers and more: at 16, packing them for its
 * matrix products and going over the scores again takes it longer than the products do. Here eight
 * queries at a time see all keys of a head, their scores never leave the registers, and keys that
 * nobody sees are left out of the work. Vectors of 16 numbers are written as such; each version of
 * `attend` (attention_rows.h) is compiled for other instructions, and the processor chooses.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define ROWS 8
#define WIDEST 32
#define UNSEEN -1e30f
#define LARGE 60.0f

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t whole __attribute__((vector_size(4 * LANES)));

/* The keys that can be seen of one head. */
struct head {
    const float *keys;   /* (D, padded): one number of all keys side by side */
    const float *values; /* (padded, D) */
    int seen, padded;
};

typedef void attention(const struct head *, const float *, const float *, float *);

#define TARGET
#define WIDTH 16
#define ATTEND attend_16
#include "attention_rows.h"
#define WIDTH 32
#define ATTEND attend_32
#include "attention_rows.h"
#undef TARGET

#if defined(__x86_64__) && (defined(__linux__) || defined(__APPLE__))
#define TARGET __attribute__((target("avx2,fma")))
#define WIDTH 16
#define ATTEND attend_16_avx2
#include "attention_rows.h"
#define WIDTH 32
#define ATTEND attend_32_avx2
#include "attention_rows.h"
#undef TARGET

#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma")))
#define WIDTH 16
#define ATTEND attend_16_avx512
#include "attention_rows.h"
#define WIDTH 32
#define ATTEND attend_32_avx512
#include "attention_rows.h"
#undef TARGET

static attention *best_attend(int width)
{
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        return width == 16 ? attend_16_avx512 : attend_32_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return width == 16 ? attend_16_avx2 : attend_32_avx2;
    return width == 16 ? attend_16 : attend_32;
}
#else
static attention *best_attend(int width)
{
    return width == 16 ? attend_16 : attend_32;
}
#endif

/* `n` numbers of either type as floats; bf16 is the upper half of a float. */
static void widen(const void *from, int64_t at, int n, int bf16, float scale, float *to)
{
    if (!bf16) {
        const float *numbers = (const float *)from + at;
        for (int i = 0; i < n; i++) to[i] = scale * numbers[i];
        return;
    }
    const uint16_t *halves = (const uint16_t *)from + at;
    for (int i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)halves[i] << 16;
        float number;
        memcpy(&number, &bits, sizeof number);
        to[i] = scale * number;
    }
}

/* Floats as either type; as bf16 to the nearest, ties to even. */
static void narrow(const float *from, int n, int bf16, void *to, int64_t at)
{
    if (!bf16) {
        memcpy((float *)to + at, from, sizeof(float) * (size_t)n);
        return;
    }
    uint16_t *halves = (uint16_t *)to + at;
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, sizeof bits);
        halves[i] = (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
}

static float squared(const float *numbers, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++) sum += numbers[i] * numbers[i];
    return sum;
}

/* What to take off a query's scores, so that no power of 2 overflows: nothing where |q| |k| says
 * that none can, else the largest score. */
static float shift_of(const struct head *head, const float *query, int width, float longest)
{
    if (squared(query, width) * longest <= LARGE * LARGE) return 0;
    float most = UNSEEN;
    for (int j = 0; j < head->seen; j++) {
        float score = 0;
        for (int i = 0; i < width; i++)
            score += query[i] * head->keys[(size_t)i * head->padded + j];
        most = score > most ? score : most;
    }
    return most;
}

/* Attention of the pairs of window and head from `first` to `last`, counted window by window.
 *
 * query (B, S, H, D), key and value (B, T, H, D), out (B, S, H, D): bf16 or float32, contiguous.
 * seen (B, T): 1 for a key to look at; a window without any gives zeros. Returns 0, or 1 where
 * there is no memory.
 */
int humob_attention(int64_t first, int64_t last, int32_t heads, int32_t queries, int32_t keys,
                    int32_t width, int32_t bf16, const void *query, const void *key,
                    const void *value, const uint8_t *seen, void *out)
{
    size_t most = ((size_t)keys + LANES - 1) / LANES * LANES;
    float *across = malloc(sizeof(float) * (most * 2 * (size_t)width + 1));
    if (!across) return 1;
    float *values = across + most * width;
    struct head head = {across, values, 0, 0};
    float some[ROWS * WIDEST], found[ROWS * WIDEST], shift[ROWS], one[WIDEST];
    /* Weights are powers of 2: log2(e) goes into the scale. */
    float scale = 1.4426950408889634f / sqrtf((float)width);
    attention *attend = best_attend(width);
    for (int64_t item = first; item < last; item++) {
        int64_t window = item / heads, number = item % heads;
        const uint8_t *mask = seen + window * keys;
        float longest = 0;
        head.seen = 0;
        for (int j = 0; j < keys; j++) head.seen += mask[j] != 0;
        head.padded = (head.seen + LANES - 1) / LANES * LANES;
        memset(across, 0, sizeof(float) * most * 2 * (size_t)width);
        for (int j = 0, at = 0; j < keys; j++) {
            if (!mask[j]) continue;
            int64_t from = ((window * keys + j) * heads + number) * width;
            widen(key, from, width, bf16, 1.0f, one);
            for (int i = 0; i < width; i++) across[(size_t)i * head.padded + at] = one[i];
            float length = squared(one, width);
            longest = length > longest ? length : longest;
            widen(value, from, width, bf16, 1.0f, values + (size_t)at++ * width);
        }
        for (int s = 0; s < queries; s += ROWS) {
            int rows = queries - s < ROWS ? queries - s : ROWS;
            int64_t to = ((window * queries + s) * heads + number) * width;
            int64_t step = (int64_t)heads * width;
            memset(some, 0, sizeof some);
            memset(found, 0, sizeof found);
            for (int r = 0; r < ROWS; r++) {
                if (r < rows) widen(query, to + r * step, width, bf16, scale, some + r * width);
                shift[r] = shift_of(&head, some + r * width, width, longest);
            }
            if (head.seen) attend(&head, some, shift, found);
            for (int r = 0; r < rows; r++) narrow(found + r * width, width, bf16, out, to + r * step);
        }
    }
    free(across);
    return 0;
}
