/* A bias, a residual connection and the layer norm after it, in one pass; called through ctypes.
 *
 * torch goes over the rows five times for it: bias, widen, add, norm and narrow. Each version of `norm`
 * (norm_rows.h) is compiled for other instructions.
 */
#include <math.h>
#include <string.h>

#include "processor.h"
#include "vectors.h"

struct norm {
    const float *shift, *weight, *bias;
    float eps;
    int width;
};

/* 16 numbers added up by halves, so that additions need not wait for each other. */
INLINE float total_of(const float *numbers)
{
    float part[16];
    memcpy(part, numbers, sizeof part);
    UNROLLED
    for (int n = 8; n > 0; n /= 2) {
        UNROLLED
        for (int l = 0; l < n; l++) part[l] += part[l + n];
    }
    return part[0];
}

typedef void norm(const struct norm *, const void *added, float *row, uint16_t *half);

#define TARGET
#define LANES 4
#define VECTORS 4
#define VERSION(name) name##_any
#include "norm_rows.h"
#undef TARGET
#undef LANES
#undef VECTORS

#ifdef HAS_VERSIONS
#define TARGET TARGET_AVX2
#define LANES 8
#define VECTORS 2
#define VERSION(name) name##_avx2
#include "norm_rows.h"
#undef TARGET
#undef LANES
#undef VECTORS

#define TARGET TARGET_AVX512
#define LANES 16
#define VECTORS 1
#define VERSION(name) name##_avx512
#include "norm_rows.h"
#undef TARGET
#endif

/* Rows (count, width) become norm(rows + added + shift), where the width is a multiple of 16.
 *
 * added: a matrix product, in bf16 where there is `half`, else in float32. shift: its bias. weight,
 * bias: of the norm. half: the rows once more, rounded to bf16. version: of processor.h.
 */
void humob_add_norm(int64_t count, int32_t width, int32_t version, const void *added,
                    const float *shift, const float *weight, const float *bias, float eps,
                    float *rows, uint16_t *half)
{
    struct norm settings = {shift, weight, bias, eps, width};
    norm *best = CHOSEN(norm, version);
    size_t size = half ? sizeof(uint16_t) : sizeof(float);
    for (int64_t row = 0; row < count; row++) {
        int64_t at = row * width;
        best(&settings, (const char *)added + (size_t)at * size, rows + at, half ? half + at : 0);
    }
}
