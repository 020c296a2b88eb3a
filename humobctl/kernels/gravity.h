/* Places and laws: what gravity_index.c, gravity.c and visits.c share. Metres throughout. */
#ifndef HUMOB_GRAVITY_H
#define HUMOB_GRAVITY_H

#include "draws.h"

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

enum {
    GRAVITY, POWER, EXPONENTIAL, RADIATION, OPPORTUNITY, EPR, RANDOM, HOME_WORK, EMPIRICAL,
    COPB
};

typedef struct {
    double radius, most; /* candidates are looked for in radius, then in twice as much, up to most */
    double exponent, scale;
    double alpha, beta; /* of the universal opportunity model */
    double rho, gamma;  /* of exploration and preferential return */
    double back;        /* chance to return to a place of the same day */
    double away;        /* chance to end a day away from home */
    const double *weights; /* by bin of distance, of work, from home, from elsewhere: (3, BINS) */
    uint64_t seed;
    int32_t kind;
    int32_t exhaustive; /* weigh every candidate: the slow way, for tests */
    int32_t purpose;    /* row of `weights` */
    int32_t unused;
} Law;

/* Where somebody is: `place` is a row in the table of places, or negative. */
typedef struct {
    float east, north;
    int32_t place;
} Spot;

#define NOWHERE (-3) /* no place of the intent within the largest radius */

/* Not for callers outside of the library: calls within a file may be inlined. */
#pragma GCC visibility push(hidden)

/* -- gravity_index.c: which places lie how far away ------------------------------------------ */

#define RING 1000.0f /* width of a ring around the person */
#define TIE 0.05f    /* metres within which places are equally far: coordinates have 32 bits */

#define KEYS 2048 /* of squared distances as 32-bit floats: sign, exponent and 3 bits behind it */

/* The bin of a squared distance: that of its key, or the next one from `edge` on. */
typedef struct {
    float edge;
    int32_t bin;
} Key;

/* Buffers that grow as needed and are used again. */
typedef struct {
    int64_t span_room;
    int64_t *span; /* pairs of a first member and an end */
    int32_t ring_room;
    int64_t *first;       /* first span of each ring */
    int64_t *held;        /* members in the spans of each ring */
    double *bound, *edge; /* of each ring: bound of its weight, deterrence at its inner edge */
    int64_t room;
    int64_t *member; /* collected members and their weights */
    double *weight;
    Key *key;    /* KEYS of them; made when they are first needed */
    int failed; /* no memory was left */
} Memory;

/* What is looked for: places that serve `intent` nearer than `radius`, but the one at hand. */
typedef struct {
    const Places *places;
    const Grid *grid;
    int intent;
    Spot here;
    float radius;
    int rings;
    Memory *memory;
    float cells; /* a metre in cells of the grid */
    float slack; /* edges of cells are rounded: members may lie so far outside of their cell */
} Query;

#define ALL_RINGS (-1)

Query query(const Places *places, int intent, Spot here, double radius, Memory *memory);
double ring_area(const Query *query, int ring);
int ring_of(const Query *query, double away);
int64_t collect(const Query *query, int ring);
int64_t collect_squares(const Query *query, int ring);
int64_t count_rings(const Query *query, double *count);
int find_spans(const Query *query, int ring);
int64_t any_member(const Query *query, int ring, Draws *draws, double *away);
int64_t any_beyond(const Query *query, Draws *draws, double *away);
int32_t place_of(const Query *query, int64_t member);

/* -- gravity.c: laws --------------------------------------------------------------------------- */

/* An index drawn in proportion to the weights; -1 where all are 0. */
int64_t drawn_of(const double *weight, int64_t count, double total, Draws *draws);

/* What distance in metres takes away from a place's weight. */
double deterrence(const Law *law, double away);

/* The place to which a law leads, or NOWHERE; *widened says whether it lies beyond the radius. */
int32_t choose_place(const Places *places, const Law *law, int intent, Spot here, Draws *draws,
                     Memory *memory, int *widened);

#pragma GCC visibility pop

#endif
