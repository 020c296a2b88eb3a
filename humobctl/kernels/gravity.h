/* Places and laws of mobility: what gravity.c offers to visits.c. Distances in metres. */
#ifndef HUMOB_GRAVITY_H
#define HUMOB_GRAVITY_H

#include <stdint.h>

/* A grid over the places that serve one intent; its members are sorted by row, then column. */
typedef struct {
    int64_t cell;    /* number of its first cell in Places.start */
    int64_t first;   /* its first member */
    int64_t members; /* how many places serve the intent */
    int32_t columns, rows;
    float west, south, side;
    float unused;
} Grid;

typedef struct {
    const Grid *grids;    /* one for each intent */
    const int64_t *start; /* first member of each cell, counted from the grid's first; and the end */
    const float *east, *north;
    const int32_t *place; /* row of each member in the table of places */
    const int8_t *intent; /* of each place, -1 for one that serves every intent */
    const float *place_east, *place_north; /* of each place */
} Places;

enum { GRAVITY, POWER, EXPONENTIAL, RADIATION, OPPORTUNITY, EPR, RANDOM, HOME_WORK };

typedef struct {
    double radius, most; /* candidates are looked for in radius, then in twice as much, up to most */
    double exponent, scale;
    double alpha, beta; /* of the universal opportunity model */
    double rho, gamma;  /* of exploration and preferential return */
    uint64_t seed;
    int32_t kind;
    int32_t exhaustive; /* weigh every candidate: the slow way, for tests */
} Law;

/* What is reused from draw to draw: buffers, and counts of rings that were counted before. */
typedef struct Memory Memory;
Memory *humob_gravity_memory(double most);
void humob_gravity_forget(Memory *memory);
int humob_gravity_failed(const Memory *memory);

/* Random draws by name, as humobctl/intentions/draws.py makes them. */
typedef struct {
    uint64_t state, step;
} Draws;
Draws draws_named(const uint64_t *names, int count);
double draw(Draws *draws);

/* A person's whereabouts: `place` is a row in the table of places, or negative. */
typedef struct {
    float east, north;
    int32_t place;
} Spot;

#define NOWHERE (-3) /* no place of the intent within the largest radius */

/* The place to which a law leads; *widened says whether it lies beyond the radius. */
int32_t choose_place(const Places *places, const Law *law, int kind, int intent, Spot here,
                     Draws *draws, Memory *memory, int *widened);

#endif
