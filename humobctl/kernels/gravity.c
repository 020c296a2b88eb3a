/* Which place a person goes to: laws of mobility over the places around them.
 *
 * Candidates are the places that serve the intent and lie nearer than the radius, but for the one
 * where the person is. They are counted by rings of 1 km. A ring is drawn by an upper bound of its
 * weight (members times the weight at its inner edge), then a member uniformly, which is accepted
 * by its own weight over that bound: the draw is exact, and no candidate but a few is looked at
 * singly. The innermost ring, where the bound would be infinite, is weighed place by place.
 */
#include "gravity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RING 1000.0f
#define NEAREST 1.0f /* metres: a nearer place counts as so far away, as in CoPB */
#define TRIES 64     /* rejections before every candidate is weighed */
#define BLOCK 512
#define SLOTS (1 << 15)
#define KEPT_RINGS 16

#define GOLDEN 0x9E3779B97F4A7C15ULL

typedef struct {
    float east, north, radius; /* radius is 0 where nothing is kept */
    int32_t intent;
    int32_t count[KEPT_RINGS];
} Kept;

struct Memory {
    int32_t rings;     /* that the buffers hold */
    int64_t *count;    /* members by ring; the last one takes what is beyond the radius */
    double *bound;     /* upper bounds of the weights of rings */
    int64_t *spans;    /* pairs of first member and end */
    double *weight;    /* of single members */
    int64_t *member;
    int64_t room;      /* for single members */
    int64_t span_room;
    int failed;        /* no memory left */
    Kept *kept;
};

/* -- random draws ------------------------------------------------------------------------- */

static uint64_t mixed(uint64_t word)
{
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ULL;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBULL;
    return word ^ (word >> 31);
}

Draws draws_named(const uint64_t *names, int count)
{
    Draws draws = {0, 0};
    for (int i = 0; i < count; i++)
        draws.state = mixed((draws.state ^ names[i]) * GOLDEN + GOLDEN);
    return draws;
}

double draw(Draws *draws)
{
    draws->step += GOLDEN;
    return (double)(mixed(draws->state + draws->step) >> 11) * 0x1p-53;
}

/* -- memory ------------------------------------------------------------------------------- */

Memory *humob_gravity_memory(double most)
{
    Memory *memory = calloc(1, sizeof(Memory));
    if (!memory) return NULL;
    memory->rings = (int32_t)ceil(most / RING);
    memory->count = malloc((size_t)(memory->rings + 2) * sizeof(int64_t));
    memory->bound = malloc((size_t)(memory->rings + 2) * sizeof(double));
    memory->kept = calloc(SLOTS, sizeof(Kept));
    if (memory->count && memory->bound && memory->kept) return memory;
    humob_gravity_forget(memory);
    return NULL;
}

void humob_gravity_forget(Memory *memory)
{
    if (!memory) return;
    free(memory->count);
    free(memory->bound);
    free(memory->kept);
    free(memory->spans);
    free(memory->weight);
    free(memory->member);
    free(memory);
}

int humob_gravity_failed(const Memory *memory) { return memory->failed; }

static int make_room(Memory *memory, int64_t members)
{
    if (members <= memory->room) return 1;
    int64_t room = members + members / 2 + 1024;
    free(memory->weight);
    free(memory->member);
    memory->weight = malloc((size_t)room * sizeof(double));
    memory->member = malloc((size_t)room * sizeof(int64_t));
    memory->room = memory->weight && memory->member ? room : 0;
    memory->failed |= !memory->room;
    return memory->room > 0;
}

static int make_span_room(Memory *memory, int64_t spans)
{
    if (spans <= memory->span_room) return 1;
    free(memory->spans);
    memory->spans = malloc((size_t)(2 * spans) * sizeof(int64_t));
    memory->span_room = memory->spans ? spans : 0;
    memory->failed |= !memory->span_room;
    return memory->span_room > 0;
}

/* -- which members lie where -------------------------------------------------------------- */

static int clipped(float value, int below)
{
    return value < 0.0f ? 0 : value >= (float)below ? below - 1 : (int)value;
}

/* Nearest and farthest way, north or south, from the spot to a row of cells. */
static void row_way(const Grid *grid, int row, float north, float *near, float *far)
{
    float low = grid->south + (float)row * grid->side - north, high = low + grid->side;
    /* Members on the outer edge were put into the last row; rounding may move an edge a little. */
    float slack = 1e-3f * grid->side + 0.25f;
    low -= slack;
    high += slack;
    *near = low > 0.0f ? low : high < 0.0f ? -high : 0.0f;
    *far = fmaxf(fabsf(low), fabsf(high));
}

static void add_span(const Places *places, const Grid *grid, int row, float from, float to,
                     int64_t *spans, int64_t *count)
{
    float slack = 1e-3f * grid->side + 0.25f;
    float west = (from - slack - grid->west) / grid->side;
    float east = (to + slack - grid->west) / grid->side;
    if (east < 0.0f || west >= (float)grid->columns) return;
    const int64_t *start = places->start + grid->cell + (int64_t)row * grid->columns;
    int64_t first = start[clipped(west, grid->columns)];
    int64_t end = start[clipped(east, grid->columns) + 1];
    /* The two spans of a row may share a cell: no member may stand in both. */
    if (*count && spans[2 * *count - 1] > first) first = spans[2 * *count - 1];
    if (first >= end) return;
    spans[2 * *count] = first;
    spans[2 * *count + 1] = end;
    ++*count;
}

/* Runs of members that hold all those at distances from `inner` to below `outer`, and some more. */
static int64_t find_spans(const Places *places, const Grid *grid, Spot here, float inner,
                          float outer, Memory *memory)
{
    float slack = 1e-3f * grid->side + 0.25f;
    float south = (here.north - outer - slack - grid->south) / grid->side;
    float north = (here.north + outer + slack - grid->south) / grid->side;
    if (!grid->members || north < 0.0f || south >= (float)grid->rows) return 0;
    int low = clipped(south, grid->rows), high = clipped(north, grid->rows);
    if (!make_span_room(memory, 2 * ((int64_t)high - low + 1))) return 0;
    int64_t count = 0;
    for (int row = low; row <= high; row++) {
        float near, far;
        row_way(grid, row, here.north, &near, &far);
        if (near > outer) continue;
        float wide = sqrtf(outer * outer - near * near);
        float hole = far < inner ? sqrtf(inner * inner - far * far) : 0.0f;
        if (hole > grid->side) {
            add_span(places, grid, row, here.east - wide, here.east - hole, memory->spans, &count);
            add_span(places, grid, row, here.east + hole, here.east + wide, memory->spans, &count);
        } else {
            add_span(places, grid, row, here.east - wide, here.east + wide, memory->spans, &count);
        }
    }
    return count;
}

static float distance(const Places *places, const Grid *grid, Spot here, int64_t member)
{
    float dx = places->east[grid->first + member] - here.east;
    float dy = places->north[grid->first + member] - here.north;
    return sqrtf(dx * dx + dy * dy);
}

static int ring_of(float away, int rings)
{
    int ring = (int)(away * (1.0f / RING));
    return ring < rings ? ring : rings - 1;
}

static int rings_within(double radius) { return (int)ceil(radius / RING); }

static int is_here(const Places *places, const Grid *grid, Spot here, int64_t member)
{
    return here.place >= 0 && places->place[grid->first + member] == here.place;
}

/* Members by ring, the person's own place among them; count[rings] takes those farther away. */
static void count_members(const Places *places, const Grid *grid, Spot here, float radius,
                          Memory *memory)
{
    int rings = rings_within(radius);
    int32_t ring[BLOCK];
    memset(memory->count, 0, (size_t)(rings + 1) * sizeof(int64_t));
    int64_t spans = find_spans(places, grid, here, 0.0f, radius, memory);
    for (int64_t s = 0; s < spans; s++) {
        int64_t end = memory->spans[2 * s + 1];
        for (int64_t at = memory->spans[2 * s]; at < end; at += BLOCK) {
            int n = end - at < BLOCK ? (int)(end - at) : BLOCK;
            const float *east = places->east + grid->first + at;
            const float *north = places->north + grid->first + at;
            for (int i = 0; i < n; i++) {
                float dx = east[i] - here.east, dy = north[i] - here.north;
                float away = sqrtf(dx * dx + dy * dy);
                ring[i] = away < radius ? ring_of(away, rings) : rings;
            }
            for (int i = 0; i < n; i++) memory->count[ring[i]]++;
        }
    }
}

static Kept *kept_slot(Memory *memory, int intent, Spot here)
{
    uint32_t bits[2];
    memcpy(bits, &here.east, 4);
    memcpy(bits + 1, &here.north, 4);
    uint64_t word = mixed(((uint64_t)bits[0] << 32 | bits[1]) + GOLDEN * (uint64_t)(intent + 1));
    return memory->kept + (word & (SLOTS - 1));
}

/* The candidates by ring, and how many there are; people start from the same places again and again. */
static int64_t count_rings(const Places *places, int intent, Spot here, float radius,
                           Memory *memory)
{
    int rings = rings_within(radius);
    const Grid *grid = places->grids + intent;
    Kept *kept = rings <= KEPT_RINGS ? kept_slot(memory, intent, here) : NULL;
    if (kept && kept->radius == radius && kept->intent == intent && kept->east == here.east &&
        kept->north == here.north) {
        for (int k = 0; k < rings; k++) memory->count[k] = kept->count[k];
    } else {
        count_members(places, grid, here, radius, memory);
        if (kept) {
            *kept = (Kept){here.east, here.north, radius, intent, {0}};
            for (int k = 0; k < rings; k++) kept->count[k] = (int32_t)memory->count[k];
        }
    }
    if (here.place >= 0 && memory->count[0] > 0) {
        int serves = places->intent[here.place];
        if (serves < 0 || serves == intent) memory->count[0]--;
    }
    int64_t total = 0;
    for (int k = 0; k < rings; k++) total += memory->count[k];
    return total;
}

/* A ring around the person; number -1 stands for all rings within the radius. */
typedef struct {
    int number, rings;
    float radius;
} Ring;

#define ALL_RINGS (-1)

static Ring ring_within(int number, double radius)
{
    return (Ring){number, rings_within(radius), (float)radius};
}

static float inner_edge(Ring ring) { return ring.number > 0 ? (float)ring.number * RING : 0.0f; }

static float outer_edge(Ring ring)
{
    return ring.number < 0 ? ring.radius : fminf((float)(ring.number + 1) * RING, ring.radius);
}

static int is_candidate(const Places *places, const Grid *grid, Spot here, int64_t member,
                        float away, Ring ring)
{
    return away < ring.radius && (ring.number < 0 || ring_of(away, ring.rings) == ring.number) &&
           !is_here(places, grid, here, member);
}

static int64_t spans_of(const Places *places, const Grid *grid, Spot here, Ring ring,
                        Memory *memory, int64_t *total)
{
    int64_t spans =
        find_spans(places, grid, here, inner_edge(ring), outer_edge(ring), memory);
    *total = 0;
    for (int64_t s = 0; s < spans; s++) *total += memory->spans[2 * s + 1] - memory->spans[2 * s];
    return spans;
}

/* Collects the candidates of a ring, with their distances as weights; how many there are. */
static int64_t collect(const Places *places, const Grid *grid, Spot here, Ring ring,
                       Memory *memory)
{
    int64_t most, found = 0, spans = spans_of(places, grid, here, ring, memory, &most);
    if (!make_room(memory, most)) return 0;
    for (int64_t s = 0; s < spans; s++)
        for (int64_t m = memory->spans[2 * s]; m < memory->spans[2 * s + 1]; m++) {
            float away = distance(places, grid, here, m);
            if (!is_candidate(places, grid, here, m, away, ring)) continue;
            memory->weight[found] = away;
            memory->member[found++] = m;
        }
    return found;
}

/* A member drawn uniformly from the candidates of a ring; -1 where there is none. */
static int64_t uniform_member(const Places *places, const Grid *grid, Spot here, Ring ring,
                              Draws *draws, Memory *memory)
{
    int64_t total, spans = spans_of(places, grid, here, ring, memory, &total);
    for (int i = 0; i < TRIES && spans > 0; i++) {
        int64_t left = (int64_t)(draw(draws) * (double)total), s = 0;
        for (;; s++) {
            int64_t length = memory->spans[2 * s + 1] - memory->spans[2 * s];
            if (left < length) break;
            left -= length;
        }
        int64_t member = memory->spans[2 * s] + left;
        float away = distance(places, grid, here, member);
        if (is_candidate(places, grid, here, member, away, ring)) return member;
    }
    int64_t found = collect(places, grid, here, ring, memory);
    return found ? memory->member[(int64_t)(draw(draws) * (double)found)] : -1;
}

/* -- laws --------------------------------------------------------------------------------- */

static double ring_area(int k, double radius)
{
    double outer = fmin((k + 1.0) * RING, radius), inner = k * (double)RING;
    return 3.141592653589793 * (outer * outer - inner * inner);
}

/* The logarithm of what distance takes away from a place's weight. */
static double log_deterrence(const Law *law, int kind, double away)
{
    if (kind == EXPONENTIAL) return -away / law->scale;
    return -law->exponent * log(fmax(away, NEAREST));
}

static double deterrence(const Law *law, int kind, double away)
{
    if (kind != EXPONENTIAL && law->exponent == 2.0) {
        double least = fmax(away, NEAREST);
        return 1.0 / (least * least);
    }
    return exp(log_deterrence(law, kind, away));
}

static int64_t drawn_of(const double *weight, int64_t count, double total, Draws *draws)
{
    double left = draw(draws) * total;
    int64_t last = -1;
    for (int64_t i = 0; i < count; i++) {
        if (!(weight[i] > 0.0)) continue;
        last = i;
        left -= weight[i];
        if (left < 0.0) break;
    }
    return last;
}

static double opportunity_weight(const Law *law, double origin, double own, double within)
{
    if (own <= 0.0) return 0.0;
    double more = (law->alpha + law->beta) * within;
    return (origin + law->alpha * within) * own / ((origin + more) * (origin + own + more));
}

/* gravity, power, exponential: every candidate within the radius is weighed. */
static int64_t weigh_all(const Places *places, const Law *law, int kind, const Grid *grid,
                         Spot here, double radius, Draws *draws, Memory *memory)
{
    int64_t found = collect(places, grid, here, ring_within(ALL_RINGS, radius), memory);
    double highest = -INFINITY, total = 0.0;
    for (int64_t i = 0; i < found; i++) {
        double away = memory->weight[i], log_weight = log_deterrence(law, kind, away);
        if (kind == GRAVITY) {
            int k = ring_of((float)away, rings_within(radius));
            log_weight += log((double)memory->count[k] / ring_area(k, radius));
        }
        memory->weight[i] = log_weight;
        highest = fmax(highest, log_weight);
    }
    for (int64_t i = 0; i < found; i++) {
        memory->weight[i] = exp(memory->weight[i] - highest);
        total += memory->weight[i];
    }
    int64_t at = drawn_of(memory->weight, found, total, draws);
    return at < 0 ? -1 : memory->member[at];
}

/* Weighs the candidates of the innermost ring; the sum of their weights. */
static double weigh_nearest(const Places *places, const Law *law, int kind, const Grid *grid,
                            Spot here, double radius, Memory *memory, int64_t *found)
{
    double sum = 0.0;
    *found = collect(places, grid, here, ring_within(0, radius), memory);
    for (int64_t i = 0; i < *found; i++) {
        memory->weight[i] = deterrence(law, kind, memory->weight[i]);
        sum += memory->weight[i];
    }
    return sum;
}

/* Upper bounds of the weights of the rings, the innermost one's weight itself; their sum. */
static double bound_rings(const Places *places, const Law *law, int kind, const Grid *grid,
                          Spot here, double radius, Memory *memory)
{
    double total = 0.0;
    for (int k = 0; k < rings_within(radius); k++) {
        double count = (double)memory->count[k], bound = 0.0;
        int64_t near;
        if (count > 0.0)
            bound = k ? count * deterrence(law, kind, k * (double)RING)
                      : weigh_nearest(places, law, kind, grid, here, radius, memory, &near);
        if (kind == GRAVITY) bound *= count / ring_area(k, radius);
        memory->bound[k] = bound;
        total += bound;
    }
    return total;
}

static int64_t by_distance(const Places *places, const Law *law, int kind, const Grid *grid,
                           Spot here, double radius, Draws *draws, Memory *memory)
{
    double total = 0.0;
    if (!law->exhaustive) total = bound_rings(places, law, kind, grid, here, radius, memory);
    for (int i = 0; i < TRIES && total > 0.0; i++) {
        int k = (int)drawn_of(memory->bound, rings_within(radius), total, draws);
        if (k == 0) {
            int64_t near;
            double sum = weigh_nearest(places, law, kind, grid, here, radius, memory, &near);
            return memory->member[drawn_of(memory->weight, near, sum, draws)];
        }
        Ring ring = ring_within(k, radius);
        int64_t member = uniform_member(places, grid, here, ring, draws, memory);
        if (member < 0) break;
        double bound = deterrence(law, kind, inner_edge(ring));
        if (draw(draws) * bound < deterrence(law, kind, distance(places, grid, here, member)))
            return member;
    }
    /* All these were rejected, so what is drawn now is as likely as it would have been at first. */
    return weigh_all(places, law, kind, grid, here, radius, draws, memory);
}

/* The member of the given rank among the collected ones, the nearest being 0 (quickselect). */
static int64_t of_rank(double *away, int64_t *member, int64_t count, int64_t rank)
{
    int64_t low = 0, high = count - 1;
    while (low < high) {
        double pivot = away[low + (high - low) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (away[i] < pivot) i++;
            while (away[j] > pivot) j--;
            if (i > j) break;
            double a = away[i];
            int64_t m = member[i];
            away[i] = away[j];
            member[i++] = member[j];
            away[j] = a;
            member[j--] = m;
        }
        if (rank <= j) high = j;
        else if (rank >= i) low = i;
        else break;
    }
    return member[rank];
}

/* P(s places or more are nearer) = m / (m + s): the radiation law summed over single places. */
static int64_t by_radiation(const Places *places, const Grid *grid, Spot here, double radius,
                            int64_t candidates, Draws *draws, Memory *memory)
{
    double origin = fmax(1.0, (double)memory->count[0]);
    double least = origin / (origin + (double)candidates);
    double u = least + (1.0 - least) * (1.0 - draw(draws));
    int64_t rank = (int64_t)(origin / u - origin);
    if (rank >= candidates) rank = candidates - 1;
    int k = 0;
    while (rank >= memory->count[k]) rank -= memory->count[k++];
    int64_t found = collect(places, grid, here, ring_within(k, radius), memory);
    return found ? of_rank(memory->weight, memory->member, found, rank) : -1;
}

static int64_t by_opportunity(const Places *places, const Law *law, const Grid *grid, Spot here,
                              double radius, Draws *draws, Memory *memory)
{
    double origin = fmax(1.0, (double)memory->count[0]), within = 0.0, total = 0.0;
    int rings = rings_within(radius);
    for (int k = 0; k < rings; k++) {
        within += (double)memory->count[k];
        memory->bound[k] = opportunity_weight(law, origin, (double)memory->count[k], within);
        total += memory->bound[k];
    }
    int k = (int)drawn_of(memory->bound, rings, total, draws);
    return uniform_member(places, grid, here, ring_within(k, radius), draws, memory);
}

static int64_t anywhere(const Places *places, const Grid *grid, Spot here, Draws *draws)
{
    int64_t members = grid->members;
    for (int i = 0; i < TRIES && members > 0; i++) {
        int64_t member = (int64_t)(draw(draws) * (double)members);
        if (!is_here(places, grid, here, member)) return member;
    }
    return -1;
}

static int64_t choose_within(const Places *places, const Law *law, int kind, int intent, Spot here,
                             double radius, Draws *draws, Memory *memory)
{
    const Grid *grid = places->grids + intent;
    int64_t candidates = count_rings(places, intent, here, (float)radius, memory);
    if (!candidates) return -1;
    if (kind == RADIATION)
        return by_radiation(places, grid, here, radius, candidates, draws, memory);
    if (kind == OPPORTUNITY)
        return by_opportunity(places, law, grid, here, radius, draws, memory);
    return by_distance(places, law, kind, grid, here, radius, draws, memory);
}

int32_t choose_place(const Places *places, const Law *law, int kind, int intent, Spot here,
                     Draws *draws, Memory *memory, int *widened)
{
    const Grid *grid = places->grids + intent;
    int64_t member = -1;
    *widened = 0;
    if (kind == RANDOM) member = anywhere(places, grid, here, draws);
    for (double radius = law->radius; kind != RANDOM; radius = fmin(2.0 * radius, law->most)) {
        member = choose_within(places, law, kind, intent, here, radius, draws, memory);
        if (member >= 0 || radius >= law->most || memory->failed) break;
        *widened = 1;
    }
    return member < 0 ? NOWHERE : places->place[grid->first + member];
}

/* One place for each of n spots, as for n people who set out from there; out: rows, or NOWHERE.
 *
 * The k-th draw is named by the seed, `tag` and name[k]. Returns 0, or 1 where there is no memory.
 */
int humob_gravity_choose(const Places *places, const Law *law, Memory *memory, int32_t intent,
                         int64_t n, const float *east, const float *north, const int32_t *here,
                         uint64_t tag, const int64_t *name, int32_t *chosen, uint8_t *widened)
{
    for (int64_t i = 0; i < n; i++) {
        Draws draws = draws_named((uint64_t[]){law->seed, tag, (uint64_t)name[i]}, 3);
        int wide = 0;
        chosen[i] = choose_place(places, law, law->kind, intent,
                                 (Spot){east[i], north[i], here[i]}, &draws, memory, &wide);
        widened[i] = (uint8_t)wide;
    }
    return memory->failed;
}
