/* Random draws by name, as humobctl/tables/keyed_random.py makes them. */
#ifndef HUMOB_DRAWS_H
#define HUMOB_DRAWS_H

#include <stdint.h>

typedef struct {
    uint64_t state, step;
} Draws;

#define GOLDEN 0x9E3779B97F4A7C15ULL

static inline uint64_t mixed(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ULL;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBULL;
    return word ^ (word >> 31);
}

/* The draws that bear these names. */
static inline Draws draws_named(const uint64_t *names, int count)
{
    Draws draws = {0, 0};
    for (int i = 0; i < count; i++)
        draws.state = mixed((draws.state ^ names[i]) * GOLDEN + GOLDEN);
    return draws;
}

/* The next of them, from 0 to below 1. */
static inline double draw(Draws *draws)
{
    draws->step += GOLDEN;
    return (double)(mixed(draws->state + draws->step) >> 11) * 0x1p-53;
}

#endif
