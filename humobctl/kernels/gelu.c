/* The bias of a linear layer and GELU after it, in one pass; called through ctypes.
 *
 * x Phi(x), exact to a few units in the last place of a float. torch takes two
 * to four times as long for it, and one pass more for the bias.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "processor.h"
#include "vectors.h"

typedef void gelu(int64_t width, const float *restrict bias, int bf16, void *restrict row);

#define TARGET
#define VERSION(name) name##_any
#include "gelu_rows.h"
#undef TARGET

#ifdef HAS_VERSIONS
#define TARGET TARGET_AVX2
#define VERSION(name) name##_avx2
#include "gelu_rows.h"
#undef TARGET

#define TARGET TARGET_AVX512
#define VERSION(name) name##_avx512
#include "gelu_rows.h"
#undef TARGET
#endif

/* Rows (count, width) become gelu(rows + bias), where the width is a multiple of 16.
 *
 * rows: bf16 or float32. version: of processor.h.
 */
void humob_add_gelu(int64_t count, int32_t width, int32_t version, int32_t bf16, const float *bias,
                    void *rows)
{
    gelu *best = CHOSEN(gelu, version);
    const int64_t bytes = (int64_t)width * (bf16 ? 2 : 4);
    for (int64_t row = 0; row < count; row++) best(width, bias, bf16, (char *)rows + row * bytes);
}
