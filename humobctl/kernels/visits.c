/* People's days: where each event takes place, and when, once travel is counted in. */
#include "gravity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HOME (-1)
#define WORK (-2)
#define EVENT 0x6576656E7473ULL /* keeps these draws apart from others of the same seed */
#define DAY_MINUTES 1440
#define TRIES 8 /* to find a place that is new to a person */
#define WIDTH 5.0 /* spreads from an aim within which places are weighed */
#define AIMED 16384 /* of these places, that are weighed: of more, every second or third */

/* Numbers in schemas.INTENTS; and of the places that serve any of them, as in places.py. */
enum { AT_WORK = 0, AT_HOME = 1, ASLEEP = 7, EVERYTHING = 12 };
enum { WIDENED = 1, UNREACHED = 2, SHIFTED = 4, SHORTENED = 8, HURRIED = 16 };

typedef struct {
    double speed;  /* metres a minute */
    int32_t least; /* minutes that an event lasts at least, if it did before */
    int32_t unused;
} Travel;

typedef struct {
    int64_t people;
    const int64_t *day_of;   /* first day of each person; and the end */
    const int64_t *event_of; /* first event of each day; and the end */
    const uint32_t *uid;
    const int16_t *d;
    const float *home_east, *home_north, *work_east, *work_north;
    const int32_t *home_place, *work_place; /* rows in the table of places, or -1 */
    const int8_t *intent;
    int32_t *start, *end; /* of events, minutes; changed where travel needs it */
    int32_t *place;       /* out: row of the place, or HOME, WORK */
    uint8_t *flags;       /* out */
    const float *aim_east, *aim_north; /* of events, where a model has them; or NULL */
    double spread;                     /* metres from an aim at which a place weighs e^-1/2 */
} Days;

/* Where a person has been, HOME and WORK too, and how often (exploration, preferential return). */
typedef struct {
    int64_t known, room;
    int32_t *place;
    int32_t *times;
    double *weight; /* to return there now */
} Known;

static int remember(Known *known, int32_t place)
{
    for (int64_t i = 0; i < known->known; i++)
        if (known->place[i] == place) {
            known->times[i]++;
            return 1;
        }
    if (known->known == known->room) {
        int64_t room = 2 * known->room + 16;
        int32_t *place_room = realloc(known->place, (size_t)room * sizeof(int32_t));
        if (place_room) known->place = place_room;
        int32_t *times_room = realloc(known->times, (size_t)room * sizeof(int32_t));
        if (times_room) known->times = times_room;
        double *weight_room = realloc(known->weight, (size_t)room * sizeof(double));
        if (weight_room) known->weight = weight_room;
        if (!place_room || !times_room || !weight_room) return 0;
        known->room = room;
    }
    known->place[known->known] = place;
    known->times[known->known++] = 1;
    return 1;
}

static void forget(Known *known)
{
    free(known->place);
    free(known->times);
    free(known->weight);
}

static int serves(const Places *places, int32_t place, int intent)
{
    return place >= 0 && (intent == EVERYTHING || places->intent[place] < 0 ||
                          places->intent[place] == intent);
}

static int has(const Known *known, int32_t place)
{
    for (int64_t i = 0; i < known->known; i++)
        if (known->place[i] == place) return 1;
    return 0;
}

/* A known place of the intent by how often the person was there; NOWHERE to explore instead.
 *
 * With S places known, the person explores with probability rho * S^-gamma (Song et al. 2010). Under
 * `empirical` near places weigh more, and those of `today` are left out: back_today has them.
 */
static int32_t come_back(const Places *places, const Law *law, const Known *known,
                         const Known *today, int intent, Spot here, Draws *draws)
{
    if (today && !known->known) return NOWHERE;
    double explores = draw(draws), total = 0.0;
    for (int64_t i = 0; i < known->known; i++) {
        int32_t place = known->place[i];
        known->weight[i] = 0.0;
        if (place == here.place || !serves(places, place, intent)) continue;
        if (today && has(today, place)) continue;
        known->weight[i] = known->times[i];
        if (today)
            known->weight[i] *= deterrence(law, hypot(places->place_east[place] - here.east,
                                                      places->place_north[place] - here.north));
        total += known->weight[i];
    }
    if (total == 0.0 || explores < law->rho * pow((double)known->known, -law->gamma))
        return NOWHERE;
    return known->place[drawn_of(known->weight, known->known, total, draws)];
}

/* A free place of the same day that serves the intent, each alike; NOWHERE to choose another. */
static int32_t back_today(const Places *places, const Law *law, const Known *known, int intent,
                          Spot here, Draws *draws)
{
    int64_t served = 0;
    if (draw(draws) >= law->back) return NOWHERE;
    for (int64_t i = 0; i < known->known; i++)
        served += known->place[i] != here.place && serves(places, known->place[i], intent);
    int64_t left = (int64_t)(draw(draws) * (double)served);
    for (int64_t i = 0; i < known->known; i++)
        if (known->place[i] != here.place && serves(places, known->place[i], intent) && !left--)
            return known->place[i];
    return NOWHERE;
}

/* -- time --------------------------------------------------------------------------------- */

/* A day's buffers: minutes of travel to each event, the least it lasts, where it takes place. */
typedef struct {
    int64_t room;
    int32_t *minutes, *least, *start, *end;
    double *away;
} Day;

static int make_day(Day *day, int64_t events)
{
    if (events <= day->room) return 1;
    int64_t room = 2 * events + 16;
    int32_t *whole = realloc(day->minutes, (size_t)(4 * room) * sizeof(int32_t));
    if (whole) day->minutes = whole;
    double *away = realloc(day->away, (size_t)room * sizeof(double));
    if (away) day->away = away;
    if (!whole || !away) return 0;
    day->least = whole + room;
    day->start = whole + 2 * room;
    day->end = whole + 3 * room;
    day->room = room;
    return 1;
}

/* Minutes to travel to each event and to last there that fit into a day; whether people hurry. */
static int fit_into_day(const Travel *travel, const Day *day, int64_t count)
{
    int64_t lasting = 0, wanted = 0;
    for (int64_t i = 0; i < count; i++) {
        int32_t length = day->end[i] - day->start[i];
        day->least[i] = length < travel->least ? length : travel->least;
        day->minutes[i] = i ? (int32_t)fmin(ceil(day->away[i] / travel->speed), 1e6) : 0;
        lasting += day->least[i];
        wanted += day->minutes[i];
    }
    if (lasting + wanted <= DAY_MINUTES) return 0;
    if (lasting > DAY_MINUTES) {
        memset(day->least, 0, (size_t)count * sizeof(int32_t));
        lasting = 0;
    }
    for (int64_t i = 0; i < count && wanted > 0; i++)
        day->minutes[i] =
            (int32_t)floor((double)day->minutes[i] * (double)(DAY_MINUTES - lasting) /
                           (double)fmax((double)wanted, (double)(DAY_MINUTES - lasting)));
    return 1;
}

/* Moves events so that there is time to travel between them; the day stays within 0 to 1440.
 *
 * First each event waits for the person to arrive: it starts later, and ends later only where it
 * would last less than `least`. What then runs past 24:00 is pulled back from the end, which
 * shortens the events before it. Where even that does not do, people hurry: travel times shrink.
 */
static void keep_to_the_day(const Travel *travel, const Day *day, int64_t count, int32_t *start,
                            int32_t *end, uint8_t *flags)
{
    memcpy(day->start, start, (size_t)count * sizeof(int32_t));
    memcpy(day->end, end, (size_t)count * sizeof(int32_t));
    int hurried = fit_into_day(travel, day, count);
    for (int64_t i = 0; i < count; i++) {
        int32_t arrival = i ? end[i - 1] + day->minutes[i] : 0;
        if (start[i] < arrival) start[i] = arrival;
        if (end[i] < start[i] + day->least[i]) end[i] = start[i] + day->least[i];
    }
    int32_t limit = DAY_MINUTES;
    for (int64_t i = count - 1; i >= 0; i--) {
        if (end[i] > limit) end[i] = limit;
        if (start[i] > end[i] - day->least[i]) start[i] = end[i] - day->least[i];
        limit = start[i] - day->minutes[i];
    }
    for (int64_t i = 0; i < count; i++) {
        if (start[i] != day->start[i]) flags[i] |= SHIFTED;
        if (end[i] - start[i] < day->end[i] - day->start[i]) flags[i] |= SHORTENED;
        if (hurried) flags[i] |= HURRIED;
    }
}

/* -- people ------------------------------------------------------------------------------- */

typedef struct {
    const Places *places;
    Law law;
    const Travel *travel;
    const Days *days;
    Memory *memory;
    Known known, before; /* of `empirical`: of the same day, and of days before */
    Day day;
    Spot home, work;
} Walk;

static Spot spot_at(const Places *places, int32_t place)
{
    return (Spot){places->place_east[place], places->place_north[place], place};
}

/* Whether a place is neither the person's home or work nor known from this day or one before. */
static int is_new(const Walk *walk, int32_t place)
{
    return place != walk->home.place && place != walk->work.place && !has(&walk->known, place) &&
           !has(&walk->before, place);
}

/* A new place by the law times a Gaussian around the aim of an event; NOWHERE where none is near. */
static int32_t aimed_place(Walk *walk, int intent, Spot here, int64_t event, Draws *draws)
{
    const Days *days = walk->days;
    Memory *memory = walk->memory;
    Spot aim = {days->aim_east[event], days->aim_north[event], here.place};
    Query near = query(walk->places, intent, aim, WIDTH * days->spread, memory);
    if (memory->failed) return NOWHERE;
    int64_t found = collect_squares(&near, ALL_RINGS), step = 1 + found / AIMED, kept = 0;
    double total = 0.0, wide = 2.0 * days->spread * days->spread;
    for (int64_t i = (int64_t)(draw(draws) * (double)step); i < found; i += step, kept++) {
        int32_t place = place_of(&near, memory->member[i]);
        double away = hypot(walk->places->place_east[place] - here.east,
                            walk->places->place_north[place] - here.north);
        memory->member[kept] = memory->member[i];
        memory->weight[kept] = deterrence(&walk->law, away) * exp(-memory->weight[i] / wide);
        total += memory->weight[kept];
    }
    for (int64_t left = kept; left > 0; left--) {
        int64_t drawn = drawn_of(memory->weight, kept, total, draws);
        if (drawn < 0) break;
        int32_t place = place_of(&near, memory->member[drawn]);
        if (is_new(walk, place)) return place;
        total -= memory->weight[drawn];
        memory->weight[drawn] = 0.0;
    }
    return NOWHERE;
}

/* A place that the law leads to, known from the same day or a day before, or new; NOWHERE where there
 * is none. */
static int32_t free_place(Walk *walk, int intent, Spot here, int32_t number, int64_t event,
                          Draws *draws, int *widened)
{
    Law *law = &walk->law;
    const Places *places = walk->places;
    int32_t place = NOWHERE;
    law->purpose = number == HOME ? 1 : 2; /* free activities from home, from elsewhere */
    if (law->kind == EPR) place = come_back(places, law, &walk->known, NULL, intent, here, draws);
    if (law->kind == EMPIRICAL) {
        place = back_today(places, law, &walk->known, intent, here, draws);
        if (place == NOWHERE)
            place = come_back(places, law, &walk->before, &walk->known, intent, here, draws);
    }
    if (place != NOWHERE) return place;
    if (walk->days->aim_east) place = aimed_place(walk, intent, here, event, draws);
    if (place != NOWHERE) return place;
    for (int i = 0; i < TRIES; i++) {
        place = choose_place(places, law, intent, here, draws, walk->memory, widened);
        if (law->kind != EMPIRICAL || !has(&walk->before, place)) break;
    }
    return place;
}

/* Where a night away from home is spent: a place to live, or any where none is known as one. */
static int32_t night_away(Walk *walk, int intent, Spot here, int32_t number, int64_t event,
                          Draws *draws)
{
    if (draw(draws) >= walk->law.away) return NOWHERE;
    int widened, home = walk->places->grids[intent].members > 0;
    return free_place(walk, home ? intent : EVERYTHING, here, number, event, draws, &widened);
}

/* Where the next event takes place, and under which number; the person stays where none is found.
 * `last` says whether the day ends with it, after two others or more. */
static Spot next_spot(Walk *walk, int64_t event, int last, Spot here, int32_t *number,
                      const uint64_t *names)
{
    Law *law = &walk->law;
    int intent = walk->days->intent[event];
    uint8_t *flags = walk->days->flags + event;
    int home = intent == AT_HOME || intent == ASLEEP, work = intent == AT_WORK;
    Draws draws = draws_named(names, 5);
    if (law->kind == HOME_WORK && !home && !work) {
        home = *number != HOME;
        work = !home;
    }
    if (home && last && law->kind == EMPIRICAL) {
        int32_t night = night_away(walk, intent, here, *number, event, &draws);
        if (night != NOWHERE) {
            *number = night;
            return spot_at(walk->places, night);
        }
    }
    if (home || work) {
        *number = home ? HOME : WORK;
        return home ? walk->home : walk->work;
    }
    int widened = 0;
    int32_t place = free_place(walk, intent, here, *number, event, &draws, &widened);
    if (widened) *flags |= WIDENED;
    if (place == NOWHERE) {
        *flags |= UNREACHED;
        return here;
    }
    *number = place;
    return spot_at(walk->places, place);
}

/* Adds a day to what is known of the days before; 0 without memory. */
static int remember_day(Known *before, const int32_t *place, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (!remember(before, place[i])) return 0;
    return 1;
}

static int walk_day(Walk *walk, int64_t person, int64_t d)
{
    const Days *days = walk->days;
    int64_t first = days->event_of[d], count = days->event_of[d + 1] - first;
    if (!make_day(&walk->day, count)) return 0;
    Spot here = walk->home;
    int32_t number = HOME, kind = walk->law.kind;
    if (kind == EMPIRICAL) walk->known.known = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = first + i;
        uint64_t names[] = {walk->law.seed, EVENT, days->uid[person], (uint64_t)days->d[d],
                            (uint64_t)i};
        days->flags[at] = 0;
        Spot next = next_spot(walk, at, i >= 2 && i == count - 1, here, &number, names);
        walk->day.away[i] = hypot(next.east - here.east, next.north - here.north);
        days->place[at] = number;
        here = next;
        if (kind == EPR || (kind == EMPIRICAL && number >= 0))
            if (!remember(&walk->known, number)) return 0;
    }
    keep_to_the_day(walk->travel, &walk->day, count, days->start + first, days->end + first,
                    days->flags + first);
    if (kind == EMPIRICAL && d + 1 < days->day_of[person + 1])
        return remember_day(&walk->before, days->place + first, count);
    return 1;
}

/* Days of the people from `first` to below `end`. Returns 0, or 1 where there is no memory. */
int humob_gravity_days(const Places *places, const Law *law, const Travel *travel,
                       const Days *days, Memory *memory, int64_t first, int64_t end)
{
    Walk walk = {.places = places, .law = *law, .travel = travel, .days = days, .memory = memory};
    int failed = 0;
    for (int64_t p = first; p < end && !failed; p++) {
        walk.home = (Spot){days->home_east[p], days->home_north[p], days->home_place[p]};
        walk.work = (Spot){days->work_east[p], days->work_north[p], days->work_place[p]};
        walk.known.known = walk.before.known = 0;
        for (int64_t d = days->day_of[p]; d < days->day_of[p + 1] && !failed; d++)
            failed = !walk_day(&walk, p, d);
    }
    forget(&walk.known);
    forget(&walk.before);
    free(walk.day.minutes);
    free(walk.day.away);
    return failed || memory->failed;
}
