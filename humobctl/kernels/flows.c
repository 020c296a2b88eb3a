/* A day of HuMob 2026's flows as its file writes it, {'y_x': {'y_x': value, ...}, ...}, as arrays.
 *
 * The text is read as data: two levels, cells, numbers and nothing else. Cells get numbers in the
 * order in which they come, the same for all days of a file.
 */
#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { /* what is wrong at the place where reading stopped */
    EXPECTED_OPEN = -1,
    EXPECTED_CELL = -2,
    EXPECTED_COLON = -3,
    EXPECTED_NUMBER = -4,
    EXPECTED_NEXT = -5, /* a comma or the closing brace */
    EXPECTED_END = -6,
    REPEATED_ORIGIN = -7,
    REPEATED_DESTINATION = -8,
    TOO_MANY_CELLS = -9
};

typedef struct {
    const char *at, *end;
    int64_t *keys;   /* hash table: cell, FREE where there is none */
    int32_t *number; /* beside it: the number of the cell */
    int64_t slots, most;
    int32_t *cells; /* y and x by number */
    int64_t *seen;  /* 2 by number: the last day it was an origin, the last origin it went from */
    int64_t count;
} Reader;

static const int64_t FREE = INT64_MIN;

static void skip(Reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t')) r->at++;
}

static int take(Reader *r, char c)
{
    skip(r);
    if (r->at >= r->end || *r->at != c) return 0;
    r->at++;
    return 1;
}

/* A whole number as Python writes it: no sign but -, no zeros before it; 0 where there is none. */
static int whole(Reader *r, int64_t *value)
{
    const char *at = r->at;
    int negative = at < r->end && *at == '-', digits = 0;
    at += negative;
    const char *first = at;
    for (*value = 0; at < r->end && *at >= '0' && *at <= '9' && digits < 10; at++, digits++)
        *value = 10 * *value + (*at - '0');
    if (!digits || digits > 9 || (*first == '0' && (digits > 1 || negative))) return 0;
    if (negative) *value = -*value;
    r->at = at;
    return 1;
}

/* The number of the cell that stands here in quotes, or an error. */
static int64_t cell(Reader *r)
{
    skip(r);
    const char *start = r->at;
    int64_t y, x;
    char quote = r->at < r->end ? *r->at : 0;
    int good = quote == '\'' || quote == '"';
    if (good) r->at++;
    good = good && whole(r, &y) && r->at < r->end && *r->at == '_';
    if (good) r->at++;
    good = good && whole(r, &x) && r->at < r->end && *r->at == quote;
    if (!good) {
        r->at = start;
        return EXPECTED_CELL;
    }
    r->at++;
    int64_t key = y * ((int64_t)1 << 32) + x;
    uint64_t hash = (uint64_t)key * 0x9E3779B97F4A7C15u;
    uint64_t slot = (hash ^ hash >> 32) & (uint64_t)(r->slots - 1);
    for (; r->keys[slot] != FREE; slot = (slot + 1) & (uint64_t)(r->slots - 1))
        if (r->keys[slot] == key) return r->number[slot];
    if (r->count >= r->most) {
        r->at = start;
        return TOO_MANY_CELLS;
    }
    r->keys[slot] = key;
    r->number[slot] = (int32_t)r->count;
    r->cells[2 * r->count] = (int32_t)y;
    r->cells[2 * r->count + 1] = (int32_t)x;
    return r->count++;
}

/* The double nearest to mantissa / ten, which is quicker than strtod; 0 where 64 bits do not tell,
 * as near the middle of two doubles, or where there are no 64 bits. */
static int divide(uint64_t mantissa, double ten, double *value)
{
#if LDBL_MANT_DIG == 64 && defined(__x86_64__)
    long double quotient = (long double)mantissa / (long double)ten;
    uint64_t bits;
    memcpy(&bits, &quotient, sizeof bits);
    int64_t off = (int64_t)(bits & 0x7FF) - 0x400;
    *value = (double)quotient;
    return (off < -1 || off > 1) && *value > 1e-300;
#else
    (void)mantissa, (void)ten, (void)value;
    return 0;
#endif
}

/* A finite number from 0; whole ones are counted. */
static int number(Reader *r, double *value, int64_t *whole_ones)
{
    static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    skip(r);
    const char *at = r->at;
    uint64_t mantissa = 0;
    int digits = 0, after = 0, point = 0, power = 0;
    for (; at < r->end; at++) {
        if (*at == '.' && !point) {
            point = 1;
        } else if (*at >= '0' && *at <= '9') {
            if (digits < 19) mantissa = 10 * mantissa + (uint64_t)(*at - '0');
            digits++;
            after += point;
        } else {
            break;
        }
    }
    if (!digits) return 0;
    if (at < r->end && (*at == 'e' || *at == 'E')) {
        const char *e = ++at;
        if (at < r->end && (*at == '+' || *at == '-')) at++;
        const char *first = at;
        for (; at < r->end && *at >= '0' && *at <= '9'; at++)
            if (power < 10000) power = 10 * power + (*at - '0');
        if (at == first) return 0;
        if (*e == '-') power = -power;
    } else if (!point) {
        ++*whole_ones;
    }
    power -= after;
    if (digits < 16 && power >= -22 && power <= 22) { /* exact, as both are doubles */
        *value = power < 0 ? (double)mantissa / TENS[-power] : (double)mantissa * TENS[power];
    } else if (digits > 19 || power < -22 || power > 0 || !divide(mantissa, TENS[-power], value)) {
        char *stop;
        *value = strtod(r->at, &stop);
        if (stop != at || !(*value <= 1.7976931348623157e308)) return 0;
    }
    r->at = at;
    return 1;
}

/* Reads one day.
 *
 * text, length: the literal; a byte that is no part of a number follows it.
 * day: a number from 1 that no other day of the file has.
 * keys, numbers, slots: a hash table of cells, slots a power of 2; cells, seen: by number, for most
 * cells; count: of cells. All are kept from day to day.
 * origin, destination, flow: room for as many rows as the text has colons, and one.
 * whole_ones: numbers without a point; stopped: where reading stopped.
 * Returns the number of rows, or what is wrong.
 */
int64_t humob_read_flow_day(const char *text, int64_t length, int64_t day, int64_t *keys,
                            int32_t *numbers, int64_t slots, int32_t *cells, int64_t *seen,
                            int64_t most, int64_t *count, int32_t *origin, int32_t *destination,
                            double *flow, int64_t *whole_ones, int64_t *stopped)
{
    Reader r = {text, text + length, keys, numbers, slots, most, cells, seen, *count};
    int64_t rows = 0, error = 0;
    if (!take(&r, '{')) error = EXPECTED_OPEN;
    if (!error && take(&r, '}')) { /* a day without any flow */
        origin[0] = destination[0] = -1;
        flow[0] = 0.0;
        rows = 1;
    } else {
        while (!error) {
            skip(&r);
            const char *start = r.at;
            int64_t from = cell(&r);
            if (from < 0) {
                error = from;
            } else if (seen[2 * from] == day) {
                r.at = start, error = REPEATED_ORIGIN;
            } else if (!take(&r, ':')) {
                error = EXPECTED_COLON;
            } else if (!take(&r, '{')) {
                error = EXPECTED_OPEN;
            }
            if (error) break;
            seen[2 * from] = day;
            if (take(&r, '}')) { /* an origin without destinations */
                origin[rows] = (int32_t)from;
                destination[rows] = -1;
                flow[rows++] = 0.0;
            } else {
                /* Two origins of one day, and two days, have different marks. */
                int64_t mark = day * ((int64_t)1 << 31) + from;
                while (!error) {
                    skip(&r);
                    start = r.at;
                    int64_t to = cell(&r);
                    if (to < 0) {
                        error = to;
                    } else if (seen[2 * to + 1] == mark) {
                        r.at = start, error = REPEATED_DESTINATION;
                    } else if (!take(&r, ':')) {
                        error = EXPECTED_COLON;
                    } else if (!number(&r, flow + rows, whole_ones)) {
                        error = EXPECTED_NUMBER;
                    }
                    if (error) break;
                    seen[2 * to + 1] = mark;
                    origin[rows] = (int32_t)from;
                    destination[rows++] = (int32_t)to;
                    if (take(&r, '}')) break;
                    if (!take(&r, ',')) error = EXPECTED_NEXT;
                }
            }
            if (error || take(&r, '}')) break;
            if (!take(&r, ',')) error = EXPECTED_NEXT;
        }
    }
    skip(&r);
    if (!error && r.at < r.end) error = EXPECTED_END;
    *count = r.count;
    *stopped = r.at - text;
    return error ? error : rows;
}
