/* One version of `gelu`, for the instructions of TARGET; included by gelu.c. The compiler makes vectors
 * of the loops. */

/* x Phi(x). The upper tail of the normal distribution at |x| is Abramowitz and Stegun's 7.1.26 at
 * |x| / sqrt(2), to 1e-7. */
TARGET FUSED INLINE float VERSION(gelu_of)(float x)
{
    FUSE
    const float size = fabsf(x), t = 1.0f / (1.0f + 0.23164189f * size);
    float tail = t * 0.5307027145f - 0.7265760135f;
    tail = tail * t + 0.7107068705f;
    tail = tail * t - 0.142248368f;
    tail = (tail * t + 0.127414796f) * t;
    /* From 13 on it is less than counts, while 2 to the power of it is a float still. Whole numbers
     * are compared, since gcc makes no vectors where floats are. */
    const uint32_t near = bits_of(size), far = bits_of(13.0f);
    const float until = float_of(near < far ? near : far);
    const float y = until * until * -0.72134752044f;
    const float rounded = y + ROUNDER, f = y - (rounded - ROUNDER);
    const float p = float_of(bits_of(POWER_OF_2(f)) + (bits_of(rounded) << 23));
    return 0.5f * (x + size) - size * tail * p;
}

TARGET FUSED static void VERSION(gelu)(int64_t width, const float *restrict bias, int bf16,
                              void *restrict row)
{
    FUSE
    float *restrict floats = row;
    uint16_t *restrict halves = row;
    if (bf16)
        for (int64_t i = 0; i < width; i++) {
            const float x = widened(halves[i]) + bias[i];
            halves[i] = narrowed(VERSION(gelu_of)(x));
        }
    else
        for (int64_t i = 0; i < width; i++) {
            const float x = floats[i] + bias[i];
            floats[i] = VERSION(gelu_of)(x);
        }
}
#undef VERSION
