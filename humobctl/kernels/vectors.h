/* Vectors of 4-byte numbers in C, for functions compiled several times: `float_8` has eight. */
#ifndef HUMOB_VECTORS_H
#define HUMOB_VECTORS_H
#include <stdint.h>
#include <string.h>

#define VECTOR(type, lanes) VECTOR_OF(type, lanes)
#define VECTOR_OF(type, lanes) type##_##lanes
typedef float float_4 __attribute__((vector_size(16)));
typedef float float_8 __attribute__((vector_size(32)));
typedef float float_16 __attribute__((vector_size(64)));
typedef int32_t int32_t_4 __attribute__((vector_size(16)));
typedef int32_t int32_t_8 __attribute__((vector_size(32)));
typedef int32_t int32_t_16 __attribute__((vector_size(64)));
typedef uint32_t uint32_t_4 __attribute__((vector_size(16)));
typedef uint32_t uint32_t_8 __attribute__((vector_size(32)));
typedef uint32_t uint32_t_16 __attribute__((vector_size(64)));
typedef uint16_t uint16_t_4 __attribute__((vector_size(8)));
typedef uint16_t uint16_t_8 __attribute__((vector_size(16)));
typedef uint16_t uint16_t_16 __attribute__((vector_size(32)));

/* Arrays of vectors stay in registers where loops over them are unrolled. */
#ifdef __clang__
#define UNROLLED _Pragma("unroll")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

/* Inlined into functions for other instructions, and with their constants. */
#define INLINE static inline __attribute__((always_inline))

/* Products may be added without rounding between: of a network's activations, unlike scores, the bits
 * need not be the same everywhere. */
#ifdef __clang__
#define FUSED
#define FUSE _Pragma("clang fp contract(fast)")
#else
#define FUSED __attribute__((optimize("fp-contract=fast")))
#define FUSE
#endif

/* 2^x = 2^n 2^f with -1/2 <= f <= 1/2, of floats or vectors of them: adding ROUNDER, 1.5 * 2^23, rounds x
 * to n in the last bits, and POWER_OF_2 is 2^f to 3e-6, as near as degree 4 gets. */
#define ROUNDER 12582912.0f
#define POWER_OF_2(f) \
    (((((f) * 0.0095701020f + 0.0559178610f) * (f) + 0.2402474480f) * (f) + 0.6931218150f) * (f) + \
     0.9999992610f)

INLINE float float_of(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

INLINE uint32_t bits_of(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

/* bf16 is the upper half of a float. */
INLINE float widened(uint16_t half)
{
    return float_of((uint32_t)half << 16);
}

/* To the nearest bf16, ties to even. */
INLINE uint16_t narrowed(float number)
{
    uint32_t bits = bits_of(number);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}
#endif
