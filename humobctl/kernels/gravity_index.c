/* Which places lie how far from where a person is, by a grid for each intent. */
#include "gravity.h"

#include <math.h>
#include <stdlib.h>

#define BLOCK 1024 /* members whose distances fit into the processor's first cache */

Memory *humob_gravity_memory(void);
void humob_gravity_forget(Memory *memory);

Memory *humob_gravity_memory(void) { return calloc(1, sizeof(Memory)); }

void humob_gravity_forget(Memory *memory)
{
    if (!memory) return;
    free(memory->span);
    free(memory->first);
    free(memory->bound);
    free(memory->member);
    free(memory->weight);
    free(memory->key);
    free(memory);
}

static int make_room(Memory *memory, int64_t members)
{
    if (members <= memory->room) return 1;
    int64_t room = members + members / 2 + 1024;
    int64_t *member = realloc(memory->member, (size_t)room * sizeof(int64_t));
    if (member) memory->member = member;
    double *weight = realloc(memory->weight, (size_t)room * sizeof(double));
    if (weight) memory->weight = weight;
    if (member && weight) memory->room = room;
    else memory->failed = 1;
    return !memory->failed;
}

static int make_span_room(Memory *memory, int64_t spans)
{
    if (spans <= memory->span_room) return 1;
    int64_t *span = realloc(memory->span, (size_t)(4 * spans) * sizeof(int64_t));
    if (span) {
        memory->span = span;
        memory->span_room = 2 * spans;
    } else {
        memory->failed = 1;
    }
    return !memory->failed;
}

static int make_ring_room(Memory *memory, int32_t rings)
{
    if (rings <= memory->ring_room) return 1;
    int64_t *first = realloc(memory->first, (size_t)(2 * rings + 2) * sizeof(int64_t));
    if (first) memory->first = first;
    double *bound = realloc(memory->bound, (size_t)(2 * rings) * sizeof(double));
    if (bound) memory->bound = bound;
    if (first && bound) {
        memory->ring_room = rings;
        memory->held = first + rings + 1;
        memory->edge = bound + rings;
    } else {
        memory->failed = 1;
    }
    return !memory->failed;
}

Query query(const Places *places, int intent, Spot here, double radius, Memory *memory)
{
    float side = places->grids[intent].side;
    Query made = {places, places->grids + intent, intent, here, (float)radius,
                  (int)ceil(radius / RING), memory, 1.0f / side, 1e-3f * side + 0.25f};
    make_ring_room(memory, made.rings);
    return made;
}

static float inner_edge(int ring) { return ring > 0 ? (float)ring * RING : 0.0f; }

static float outer_edge(const Query *query, int ring)
{
    return ring < 0 ? query->radius : fminf((float)(ring + 1) * RING, query->radius);
}

double ring_area(const Query *query, int ring)
{
    double outer = outer_edge(query, ring), inner = inner_edge(ring);
    return 3.141592653589793 * (outer * outer - inner * inner);
}

/* Squares of the edges, so that a ring means the same wherever it is looked at. They lie a little
 * further in: of places on a round edge, all are beyond it, however their distances are rounded. */
static float inner_square(int ring)
{
    float edge = inner_edge(ring) - (ring > 0 ? TIE : 0.0f);
    return edge * edge;
}

static float outer_square(const Query *query, int ring)
{
    float edge = outer_edge(query, ring) - TIE;
    return edge * edge;
}

static float square_of(const Query *query, int64_t member)
{
    int64_t at = query->grid->first + member;
    float dx = query->places->east[at] - query->here.east;
    float dy = query->places->north[at] - query->here.north;
    return dx * dx + dy * dy;
}

/* The ring of a distance that `collect` found. */
int ring_of(const Query *query, double away)
{
    float square = (float)(away * away);
    int ring = (int)(away * (1.0 / RING));
    if (ring > 0 && square < inner_square(ring)) ring--;
    if (square >= inner_square(ring + 1)) ring++;
    return ring < query->rings ? ring : query->rings - 1;
}

int32_t place_of(const Query *query, int64_t member)
{
    return query->places->place[query->grid->first + member];
}

static int is_here(const Query *query, int64_t member)
{
    return query->here.place >= 0 && place_of(query, member) == query->here.place;
}

static int clipped(float value, int below)
{
    return value < 0.0f ? 0 : value >= (float)below ? below - 1 : (int)value;
}

/* Adds the run of members that lie in a row of cells between two points, west and east. */
static void add_span(const Query *query, int row, float from, float to, int64_t begun,
                     int64_t *count)
{
    const Grid *grid = query->grid;
    int64_t *span = query->memory->span;
    float west = (from - query->slack - grid->west) * query->cells;
    float east = (to + query->slack - grid->west) * query->cells;
    if (east < 0.0f || west >= (float)grid->columns) return;
    const int64_t *start = query->places->start + grid->cell + (int64_t)row * grid->columns;
    int64_t first = start[clipped(west, grid->columns)];
    int64_t end = start[clipped(east, grid->columns) + 1];
    /* The two spans of a row may share a cell: no member may stand in both. */
    if (*count > begun && span[2 * *count - 1] > first) first = span[2 * *count - 1];
    if (first >= end) return;
    span[2 * *count] = first;
    span[2 * *count + 1] = end;
    ++*count;
}

/* Adds runs of members that hold all those of a ring, and some more; how many members they hold. */
static int64_t add_spans(const Query *query, int ring, int64_t *count)
{
    const Grid *grid = query->grid;
    float inner = inner_edge(ring), outer = outer_edge(query, ring), wider = outer + query->slack;
    float south = (query->here.north - wider - grid->south) * query->cells;
    float north = (query->here.north + wider - grid->south) * query->cells;
    if (!grid->members || north < 0.0f || south >= (float)grid->rows) return 0;
    int low = clipped(south, grid->rows), high = clipped(north, grid->rows);
    int64_t begun = *count, held = 0;
    if (!make_span_room(query->memory, begun + 2 * ((int64_t)high - low + 1))) return 0;
    for (int row = low; row <= high; row++) {
        /* How far north or south the row lies: at least `near`, at most `far`. */
        float bottom = grid->south + (float)row * grid->side - query->slack - query->here.north;
        float top = bottom + grid->side + 2.0f * query->slack;
        float near = bottom > 0.0f ? bottom : top < 0.0f ? -top : 0.0f;
        float far = fmaxf(fabsf(bottom), fabsf(top)), at = query->here.east;
        if (near > outer) continue;
        float wide = sqrtf(outer * outer - near * near);
        float hole = far < inner ? sqrtf(inner * inner - far * far) : 0.0f;
        add_span(query, row, at - wide, hole > grid->side ? at - hole : at + wide, begun, count);
        if (hole > grid->side) add_span(query, row, at + hole, at + wide, begun, count);
    }
    const int64_t *span = query->memory->span;
    for (int64_t s = begun; s < *count; s++) held += span[2 * s + 1] - span[2 * s];
    return held;
}

/* Finds the spans of the rings from `ring` on: memory->first and memory->held. 0 without memory. */
int find_spans(const Query *query, int ring)
{
    Memory *memory = query->memory;
    int64_t count = 0;
    for (int k = ring; k < query->rings && !memory->failed; k++) {
        memory->first[k] = count;
        memory->held[k] = add_spans(query, k, &count);
    }
    return !memory->failed;
}

/* A member drawn uniformly from the spans of a ring, if the ring holds it; else -1. */
int64_t any_member(const Query *query, int ring, Draws *draws, double *away)
{
    const int64_t *span = query->memory->span + 2 * query->memory->first[ring];
    int64_t left = (int64_t)(draw(draws) * (double)query->memory->held[ring]);
    for (; left >= span[1] - span[0]; span += 2) left -= span[1] - span[0];
    int64_t member = span[0] + left;
    float square = square_of(query, member);
    *away = sqrt((double)square);
    if (square < inner_square(ring) || square >= outer_square(query, ring)) return -1;
    return is_here(query, member) ? -1 : member;
}

/* A member drawn uniformly from all, if it lies beyond the radius; else -1. */
int64_t any_beyond(const Query *query, Draws *draws, double *away)
{
    int64_t member = (int64_t)(draw(draws) * (double)query->grid->members);
    float square = square_of(query, member);
    *away = sqrt((double)square);
    if (square < outer_square(query, query->rings - 1)) return -1;
    return is_here(query, member) ? -1 : member;
}

/* Squared distances of members, four at once. */
static void squares_of(const Query *query, int64_t first, int count, float *square)
{
    const float *east = query->places->east + query->grid->first + first;
    const float *north = query->places->north + query->grid->first + first;
    float x = query->here.east, y = query->here.north;
    for (int i = 0; i < count; i++)
        square[i] = (east[i] - x) * (east[i] - x) + (north[i] - y) * (north[i] - y);
}

/* Collects the candidates of a ring (or of all), with squared distances as weights; how many. */
int64_t collect_squares(const Query *query, int ring)
{
    Memory *memory = query->memory;
    int64_t spans = 0, found = 0, held = add_spans(query, ring, &spans);
    float inner = inner_square(ring), outer = outer_square(query, ring), square[BLOCK];
    if (!make_room(memory, held)) return 0;
    const int32_t *place = query->places->place + query->grid->first;
    for (int64_t s = 0; s < spans; s++) {
        int64_t end = memory->span[2 * s + 1];
        for (int64_t at = memory->span[2 * s]; at < end; at += BLOCK) {
            int n = end - at < BLOCK ? (int)(end - at) : BLOCK;
            squares_of(query, at, n, square);
            /* Every member is written, and kept by counting it: no branch to guess wrong. */
            for (int i = 0; i < n; i++) {
                memory->weight[found] = square[i];
                memory->member[found] = at + i;
                found += (square[i] < outer) & (square[i] >= inner) &
                         (place[at + i] != query->here.place);
            }
        }
    }
    return found;
}

/* The same with distances as weights. */
int64_t collect(const Query *query, int ring)
{
    int64_t found = collect_squares(query, ring);
    double *weight = query->memory->weight;
    for (int64_t i = 0; i < found; i++) weight[i] = sqrt(weight[i]);
    return found;
}

/* Counts the members of a span that are nearer than each ring's outer edge. */
static void count_nearer(const Query *query, int64_t first, int64_t end, double *nearer)
{
    float square[BLOCK];
    for (; first < end; first += BLOCK) {
        int n = end - first < BLOCK ? (int)(end - first) : BLOCK;
        squares_of(query, first, n, square);
        /* A comparison for each ring is quicker than a root for each place: it takes four at once. */
        for (int k = 0; k < query->rings; k++) {
            float edge = outer_square(query, k);
            int32_t count = 0;
            for (int i = 0; i < n; i++) count += square[i] < edge;
            nearer[k] += count;
        }
    }
}

/* Counts the candidates of every ring; how many there are in all. */
int64_t count_rings(const Query *query, double *count)
{
    Memory *memory = query->memory;
    int64_t spans = 0;
    for (int k = 0; k < query->rings; k++) count[k] = 0.0;
    add_spans(query, ALL_RINGS, &spans);
    for (int64_t s = 0; s < spans; s++)
        count_nearer(query, memory->span[2 * s], memory->span[2 * s + 1], count);
    int64_t total = (int64_t)count[query->rings - 1];
    for (int k = query->rings - 1; k > 0; k--) count[k] -= count[k - 1];
    int intent = query->here.place < 0 ? -2 : query->places->intent[query->here.place];
    if (intent == -1 || intent == query->intent) {
        count[0] -= 1.0; /* the place at hand */
        total--;
    }
    return total;
}
