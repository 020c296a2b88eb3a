/* Which of the instructions that kernels are compiled for this processor and its system have.
 *
 * Asked of the processor itself: __builtin_cpu_supports says no to everything in what zig compiles.
 */
#ifndef HUMOB_PROCESSOR_H
#define HUMOB_PROCESSOR_H

enum { PLAIN, AVX2, AVX512, AVX512_BF16 };

/* gcc on Windows aligns the stack to less than vectors need. */
#if defined(__x86_64__) && (defined(__linux__) || defined(__APPLE__))
#define HAS_VERSIONS 1
#include <cpuid.h>
#define TARGET_AVX2 __attribute__((target("avx2,fma")))
#define TARGET_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma")))
#define TARGET_AVX512_BF16 \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512bf16,fma")))
/* Of functions compiled for all but AVX512_BF16, the one for a version. */
#define CHOSEN(name, version) \
    ((version) >= AVX512 ? name##_avx512 : (version) >= AVX2 ? name##_avx2 : name##_any)

static inline int processor(void)
{
    const unsigned wide = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    const unsigned vectors = 1u << 12 | 1u << 27 | 1u << 28;         /* FMA, OSXSAVE, AVX */
    unsigned a, b, c, d, saved, upper;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & vectors) != vectors) return PLAIN;
    /* The registers that the system saves: 128 and 256 bits, then those of 512 and masks. */
    __asm__("xgetbv" : "=a"(saved), "=d"(upper) : "c"(0));
    if ((saved & 0x06) != 0x06) return PLAIN;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & 1u << 5)) return PLAIN;
    if ((saved & 0xe6) != 0xe6 || (b & wide) != wide) return AVX2;
    /* Leaf 7 gives in eax how many further parts it has. */
    if (a < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & 1u << 5)) return AVX512;
    return AVX512_BF16;
}
#else
#define CHOSEN(name, version) ((void)(version), name##_any)

static inline int processor(void)
{
    return PLAIN;
}
#endif
#endif
