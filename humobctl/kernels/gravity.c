/* Which place a person goes to: laws of mobility over the places around them.
 *
 * No candidate but a few is looked at singly. A ring of 1 km is drawn by an upper bound of its
 * weight (members of the cells that it touches, times the weight at its inner edge), then one of
 * these members, which is accepted if it lies in the ring, by its own weight over that bound: the
 * draw is exact. The innermost ring, where the bound would be infinite, is weighed place by place.
 * Under `empirical`, all that lies beyond the radius is one more ring, whose members are all places.
 */
#include "gravity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEAREST 1.0 /* metres: a nearer place counts as so far away, as in CoPB */
#define TRIES 256   /* rejections before every candidate is weighed */
#define EARTH 2.1e7 /* metres: half around it, beyond which nothing lies */
#define BINS 64     /* of distance, equally wide in logarithms, as in distance_weights.py */
#define FIRST_BIN 50.0
#define LAST_BIN 200000.0
#define KEY_SHIFT 20 /* bits of a float that its key leaves out */

/* An index drawn in proportion to the weights; -1 where all are 0. */
int64_t drawn_of(const double *weight, int64_t count, double total, Draws *draws)
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

/* -- gravity, power, exponential, empirical ---------------------------------------------------- */

static int bin_of(double away)
{
    const double bins_per_log = (BINS - 2) / log(LAST_BIN / FIRST_BIN);
    int bin = 0;
    if (away >= FIRST_BIN) bin = 1 + (int)(log(away / FIRST_BIN) * bins_per_log);
    return bin < BINS ? bin : BINS - 1;
}

static double weight_of_bin(const Law *law, double away)
{
    return law->weights[BINS * law->purpose + bin_of(away)];
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int bin_of_bits(uint32_t bits) { return bin_of(sqrt((double)float_of(bits))); }

/* Bins by squared distance, to the bit those of bin_of: a root and a logarithm for each place took
 * most of the time. A bin is wider than a key, so that there is one edge within a key at most. */
static int make_keys(Memory *memory)
{
    if (memory->key) return 1;
    memory->key = malloc(KEYS * sizeof(Key));
    if (!memory->key) return 0;
    for (uint32_t k = 0; k < KEYS; k++) {
        uint32_t low = k << KEY_SHIFT, high = (k + 1) << KEY_SHIFT;
        int bin = bin_of_bits(low);
        while (low + 1 < high) {
            uint32_t middle = low + (high - low) / 2;
            if (bin_of_bits(middle) == bin) low = middle;
            else high = middle;
        }
        memory->key[k] = (Key){float_of(high), bin};
    }
    return 1;
}

/* The logarithm of what distance takes away from a place's weight. */
static double log_deterrence(const Law *law, double away)
{
    if (law->kind == EXPONENTIAL) return -away / law->scale;
    if (law->kind == EMPIRICAL) return log(weight_of_bin(law, away));
    return -law->exponent * log(fmax(away, NEAREST));
}

double deterrence(const Law *law, double away)
{
    if (law->kind == EMPIRICAL) return weight_of_bin(law, away);
    if (law->kind == EXPONENTIAL || law->exponent != 2.0) return exp(log_deterrence(law, away));
    double least = fmax(away, NEAREST);
    return 1.0 / (least * least);
}

/* The slow way: every candidate within the radius is weighed, or every one there is. */
static int64_t weigh_all(const Query *asked, const Law *law, Draws *draws)
{
    Query all = *asked;
    if (law->kind == EMPIRICAL)
        all = query(asked->places, asked->intent, asked->here, EARTH, asked->memory);
    Memory *memory = asked->memory;
    if (memory->failed) return -1;
    int64_t found = collect(&all, ALL_RINGS);
    double highest = -INFINITY, total = 0.0, *count = memory->bound;
    for (int k = 0; k < all.rings; k++) count[k] = 0.0;
    for (int64_t i = 0; i < found; i++) count[ring_of(&all, memory->weight[i])] += 1.0;
    for (int64_t i = 0; i < found; i++) {
        int k = ring_of(&all, memory->weight[i]);
        memory->weight[i] = log_deterrence(law, memory->weight[i]);
        if (law->kind == GRAVITY) memory->weight[i] += log(count[k] / ring_area(&all, k));
        highest = fmax(highest, memory->weight[i]);
    }
    for (int64_t i = 0; i < found; i++) {
        memory->weight[i] = exp(memory->weight[i] - highest);
        total += memory->weight[i];
    }
    int64_t at = drawn_of(memory->weight, found, total, draws);
    return at < 0 ? -1 : memory->member[at];
}

/* weigh_nearest under `empirical`. */
static double look_up_nearest(const Query *query, const Law *law, int64_t *found)
{
    Memory *memory = query->memory;
    const double *weights = law->weights + BINS * law->purpose;
    double sum = 0.0;
    if (!make_keys(memory)) memory->failed = 1;
    *found = memory->failed ? 0 : collect_squares(query, 0);
    for (int64_t i = 0; i < *found; i++) {
        float square = (float)memory->weight[i];
        uint32_t bits;
        memcpy(&bits, &square, sizeof bits);
        const Key *key = memory->key + (bits >> KEY_SHIFT);
        memory->weight[i] = weights[key->bin + (square >= key->edge)];
        sum += memory->weight[i];
    }
    return sum;
}

/* Weighs the candidates of the innermost ring; the sum of their weights, and how many there are. */
static double weigh_nearest(const Query *query, const Law *law, int64_t *found)
{
    double sum = 0.0;
    if (law->kind == EMPIRICAL) return look_up_nearest(query, law, found);
    *found = collect(query, 0);
    for (int64_t i = 0; i < *found; i++) {
        query->memory->weight[i] = deterrence(law, query->memory->weight[i]);
        sum += query->memory->weight[i];
    }
    return sum;
}

/* Bounds of the weights of all rings but the innermost; their sum. */
static double bound_rings(const Query *query, const Law *law)
{
    Memory *memory = query->memory;
    double total = 0.0;
    for (int k = 1; k < query->rings; k++) {
        double held = (double)memory->held[k];
        memory->edge[k] = held > 0.0 ? deterrence(law, k * (double)RING - TIE) : 0.0;
        memory->bound[k] = held * memory->edge[k];
        if (law->kind == GRAVITY) memory->bound[k] *= held / ring_area(query, k);
        total += memory->bound[k];
    }
    return total;
}

/* Bound of the weight of all that lies beyond the radius, which `empirical` alone looks at. */
static double bound_beyond(const Query *query, const Law *law)
{
    if (law->kind != EMPIRICAL) return 0.0;
    return (double)query->grid->members * deterrence(law, query->radius - TIE);
}

/* One try to draw a member beyond the radius by its own weight; -1 where it is rejected. */
static int64_t try_beyond(const Query *query, const Law *law, Draws *draws)
{
    double away;
    int64_t member = any_beyond(query, draws, &away);
    if (member < 0) return -1;
    double bound = deterrence(law, query->radius - TIE);
    return draw(draws) * bound < deterrence(law, away) ? member : -1;
}

/* One try to draw a member of a ring by its own weight; -1 where it is rejected.
 *
 * Under `gravity` a weight is a sum over all places of the ring, over its area: a second member is
 * drawn and only has to lie in the ring, so that the ring's places need not be counted.
 */
static int64_t try_member(const Query *query, const Law *law, int ring, Draws *draws)
{
    double away, other;
    int64_t member = any_member(query, ring, draws, &away);
    if (member < 0) return -1;
    if (law->kind == GRAVITY && any_member(query, ring, draws, &other) < 0) return -1;
    return draw(draws) * query->memory->edge[ring] < deterrence(law, away) ? member : -1;
}

static int64_t by_distance(const Query *query, const Law *law, Draws *draws)
{
    Memory *memory = query->memory;
    if (law->exhaustive) return weigh_all(query, law, draws);
    int64_t near;
    double sum = weigh_nearest(query, law, &near);
    if (!find_spans(query, 1)) return -1;
    double total = bound_rings(query, law);
    memory->bound[0] = sum;
    if (law->kind == GRAVITY) memory->bound[0] *= (double)near / ring_area(query, 0);
    total += memory->bound[0];
    double beyond = bound_beyond(query, law);
    for (int i = 0; i < TRIES && total + beyond > 0.0; i++) {
        if (beyond > 0.0 && draw(draws) * (total + beyond) < beyond) {
            int64_t far = try_beyond(query, law, draws);
            if (far >= 0) return far;
            continue;
        }
        int k = (int)drawn_of(memory->bound, query->rings, total, draws);
        if (k == 0) return memory->member[drawn_of(memory->weight, near, sum, draws)];
        int64_t member = try_member(query, law, k, draws);
        if (member >= 0) return member;
    }
    /* All these were rejected, so what is drawn now is as likely as it would have been at first. */
    return weigh_all(query, law, draws);
}

/* -- copb -------------------------------------------------------------------------------------- */

#define DRAWN 50 /* candidates that are weighed, as in CoPB */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* DRAWN candidates in proportion to distance to the power of -1/2, with replacement; one of these
 * by its weight under `gravity`. Every candidate is looked at: the order of the drawn does not
 * matter, so they are found in one walk. */
static int64_t by_copb(const Query *query, const Law *law, Draws *draws)
{
    const Law near = {.kind = POWER, .exponent = 0.5};
    Memory *memory = query->memory;
    double *count = memory->bound, at[DRAWN], weight[DRAWN], total = 0.0, sum = 0.0, passed = 0.0;
    int64_t drawn[DRAWN], found = collect(query, ALL_RINGS);
    if (found == 0) return -1;
    for (int k = 0; k < query->rings; k++) count[k] = 0.0;
    for (int64_t i = 0; i < found; i++) {
        count[ring_of(query, memory->weight[i])] += 1.0;
        total += deterrence(&near, memory->weight[i]);
    }
    for (int n = 0; n < DRAWN; n++) at[n] = draw(draws) * total;
    qsort(at, DRAWN, sizeof *at, ascending);
    int n = 0;
    for (int64_t i = 0; i < found && n < DRAWN; i++) {
        double away = memory->weight[i];
        int k = ring_of(query, away);
        passed += deterrence(&near, away);
        for (; n < DRAWN && (at[n] < passed || i == found - 1); n++) {
            drawn[n] = i;
            weight[n] = count[k] / ring_area(query, k) * deterrence(law, away);
            sum += weight[n];
        }
    }
    return memory->member[drawn[drawn_of(weight, DRAWN, sum, draws)]];
}

/* -- radiation ------------------------------------------------------------------------------- */

/* One of the members as far away as that of a rank, alike; ranks of theirs fall to all of them. */
static int64_t one_as_far(const Memory *memory, int64_t count, int64_t rank, Draws *draws)
{
    double at = memory->weight[rank];
    int64_t tied = 0, i = 0;
    for (i = 0; i < count; i++) tied += fabs(memory->weight[i] - at) <= TIE;
    if (tied == 1) return memory->member[rank];
    int64_t left = (int64_t)(draw(draws) * (double)tied);
    for (i = 0; i < count; i++)
        if (fabs(memory->weight[i] - at) <= TIE && left-- == 0) break;
    return memory->member[i];
}

/* The member of a rank among the collected ones, the nearest being 0 (quickselect). */
static int64_t of_rank(const Memory *memory, int64_t count, int64_t rank, Draws *draws)
{
    double *away = memory->weight;
    int64_t *member = memory->member, low = 0, high = count - 1;
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
        if (rank > j && rank < i) break;
        if (rank <= j) high = j;
        else low = i;
    }
    return one_as_far(memory, count, rank, draws);
}

/* How many places are nearer than the one to go to: P(at least s) = m / (m + s), if s < below. */
static int64_t drawn_rank(double origin, double below, Draws *draws)
{
    double least = isinf(below) ? 0.0 : origin / (origin + below);
    double u = least + (1.0 - least) * (1.0 - draw(draws));
    return (int64_t)fmin(origin / u - origin, fmin(below - 1.0, 1e15));
}

/* Rings are counted from the inside until they hold the rank that was drawn. */
static int64_t by_radiation(const Query *query, Draws *draws)
{
    Memory *memory = query->memory;
    int64_t found = collect(query, 0);
    double origin = fmax(1.0, (double)found), total = 0.0;
    int64_t rank = drawn_rank(origin, INFINITY, draws);
    for (int k = 0;; k++) {
        if (rank < found) return of_rank(memory, found, rank, draws);
        rank -= found;
        total += (double)found;
        if (k == query->rings - 1) break;
        found = collect(query, k + 1);
    }
    if (total == 0.0 || memory->failed) return -1;
    /* The rank lay beyond the radius: draw one that does not. */
    rank = drawn_rank(origin, total, draws);
    for (int k = 0; k < query->rings; k++) {
        found = collect(query, k);
        if (rank < found) return of_rank(memory, found, rank, draws);
        rank -= found;
    }
    return -1;
}

/* -- opportunities, random ---------------------------------------------------------------------- */

static double opportunity_weight(const Law *law, double origin, double own, double within)
{
    double more = (law->alpha + law->beta) * within;
    return (origin + law->alpha * within) * own / ((origin + more) * (origin + own + more));
}

static int64_t by_opportunity(const Query *query, const Law *law, Draws *draws)
{
    Memory *memory = query->memory;
    double within = 0.0, total = 0.0, away, *weight = memory->bound;
    if (!count_rings(query, weight) || !find_spans(query, 0)) return -1;
    double origin = fmax(1.0, weight[0]);
    for (int k = 0; k < query->rings; k++) {
        within += weight[k];
        if (weight[k] > 0.0) weight[k] = opportunity_weight(law, origin, weight[k], within);
        total += weight[k];
    }
    int ring = (int)drawn_of(weight, query->rings, total, draws);
    for (int i = 0; i < TRIES; i++) {
        int64_t member = any_member(query, ring, draws, &away);
        if (member >= 0) return member;
    }
    int64_t found = collect(query, ring);
    return found ? memory->member[(int64_t)(draw(draws) * (double)found)] : -1;
}

static int64_t anywhere(const Query *query, Draws *draws)
{
    int64_t members = query->grid->members;
    for (int i = 0; i < TRIES && members > 0; i++) {
        int64_t member = (int64_t)(draw(draws) * (double)members);
        if (place_of(query, member) != query->here.place) return member;
    }
    return -1;
}

/* -- all laws ---------------------------------------------------------------------------------- */

static int64_t choose_within(const Query *query, const Law *law, Draws *draws)
{
    if (query->memory->failed) return -1;
    switch (law->kind) {
    case RADIATION: return by_radiation(query, draws);
    case OPPORTUNITY: return by_opportunity(query, law, draws);
    case RANDOM: return anywhere(query, draws);
    case COPB: return by_copb(query, law, draws);
    default: return by_distance(query, law, draws);
    }
}

int32_t choose_place(const Places *places, const Law *law, int intent, Spot here, Draws *draws,
                     Memory *memory, int *widened)
{
    *widened = 0;
    for (double radius = law->radius;; radius = fmin(2.0 * radius, law->most)) {
        Query asked = query(places, intent, here, radius, memory);
        int64_t member = choose_within(&asked, law, draws);
        if (member >= 0) return place_of(&asked, member);
        if (radius >= law->most || memory->failed) return NOWHERE;
        if (law->kind == RANDOM || law->kind == EMPIRICAL) return NOWHERE; /* looked everywhere */
        *widened = 1;
    }
}

/* One place for each of n spots, as for n people who set out from there; out: rows, or NOWHERE.
 *
 * The k-th draw is named by the seed, `tag` and name[k]. Returns 0, or 1 where there is no memory.
 */
int humob_gravity_choose(const Places *places, const Law *law, Memory *memory, int32_t intent,
                         int64_t n, const float *east, const float *north, const int32_t *here,
                         uint64_t tag, const int64_t *name, int32_t *chosen, uint8_t *widened);

int humob_gravity_choose(const Places *places, const Law *law, Memory *memory, int32_t intent,
                         int64_t n, const float *east, const float *north, const int32_t *here,
                         uint64_t tag, const int64_t *name, int32_t *chosen, uint8_t *widened)
{
    for (int64_t i = 0; i < n; i++) {
        Draws draws = draws_named((uint64_t[]){law->seed, tag, (uint64_t)name[i]}, 3);
        Spot spot = {east[i], north[i], here[i]};
        int wide = 0;
        chosen[i] = choose_place(places, law, intent, spot, &draws, memory, &wide);
        widened[i] = (uint8_t)wide;
    }
    return memory->failed;
}
