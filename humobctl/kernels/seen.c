/* The bitmap of keys seen before, for the data layer (see data/seen.py). */
#include <stdint.h>

/* Sets bits[key] for each key in turn; returns the index of the first key that was set already,
 * or -1. */
int64_t humob_mark_seen(uint8_t *bits, const int64_t *keys, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        uint8_t *byte = bits + (keys[k] >> 3), bit = (uint8_t)(1u << (keys[k] & 7));
        if (*byte & bit) return k;
        *byte |= bit;
    }
    return -1;
}
