/* One version of `norm`, for the instructions of TARGET, VECTORS vectors of LANES numbers at a time;
 * included by norm.c, which has the types. */
#define lanes VECTOR(float, LANES)
#define whole VECTOR(uint32_t, LANES)
#define halves VECTOR(uint16_t, LANES)

TARGET static void VERSION(norm)(const struct norm *norm, const void *added, float *row, uint16_t *half)
{
    enum { STEP = LANES * VECTORS };
    const int width = norm->width;
    lanes sum[VECTORS] = {{0}}, square[VECTORS] = {{0}};
    for (int first = 0; first < width; first += STEP) {
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            const int i = first + v * LANES;
            lanes number, more, shift;
            memcpy(&number, row + i, sizeof number);
            memcpy(&shift, norm->shift + i, sizeof shift);
            if (half) {
                halves bits;
                memcpy(&bits, (const uint16_t *)added + i, sizeof bits);
                whole wide = __builtin_convertvector(bits, whole) << 16;
                memcpy(&more, &wide, sizeof more);
            } else {
                memcpy(&more, (const float *)added + i, sizeof more);
            }
            number += more + shift;
            sum[v] += number;
            memcpy(row + i, &number, sizeof number);
        }
    }
    const float mean = total_of((const float *)sum) / (float)width;
    for (int first = 0; first < width; first += STEP) {
        UNROLLED
        for (int v = 0; v < VECTORS; v++) {
            lanes number;
            memcpy(&number, row + first + v * LANES, sizeof number);
            number -= mean;
            square[v] += number * number;
        }
    }
    const float spread = total_of((const float *)square) / (float)width;
    const float scale = 1 / sqrtf(spread + norm->eps);
    for (int i = 0; i < width; i += LANES) {
        lanes number, weight, bias;
        memcpy(&number, row + i, sizeof number);
        memcpy(&weight, norm->weight + i, sizeof weight);
        memcpy(&bias, norm->bias + i, sizeof bias);
        number = (number - mean) * scale * weight + bias;
        memcpy(row + i, &number, sizeof number);
        if (half) {
            whole bits;
            memcpy(&bits, &number, sizeof bits);
            /* To the nearest, ties to even. */
            bits = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
            halves rounded = __builtin_convertvector(bits, halves);
            memcpy(half + i, &rounded, sizeof rounded);
        }
    }
}
#undef VERSION
#undef lanes
#undef whole
#undef halves
