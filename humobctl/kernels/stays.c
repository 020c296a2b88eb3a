/* Stays in tracks of points: speed filter, sliding windows, and stays joined to locations.
 *
 * Users stand one after another: the points of user u are first[u] to first[u + 1] - 1, in the order
 * of time. Times are microseconds, coordinates radians. Distances are compared by
 *     h(a, b) = sin^2(dlat / 2) + cos(lat_a) cos(lat_b) sin^2(dlon / 2) = sin^2(metres / 2 R),
 * which grows with the great-circle distance (haversine) up to half the globe.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static double haversine(const double *lat, const double *lon, int64_t a, int64_t b)
{
    double north = sin((lat[b] - lat[a]) / 2), east = sin((lon[b] - lon[a]) / 2);
    return north * north + cos(lat[a]) * cos(lat[b]) * east * east;
}

/* Mark points to keep: not those that are reached from the last kept one faster than `speed`, in
 * radians a microsecond. Two points at one moment are infinitely fast apart. */
void humob_filter_speed(int64_t users, const int64_t *first, const int64_t *at, const double *lat,
                        const double *lon, double speed, uint8_t *keep)
{
    for (int64_t u = 0; u < users; u++)
        for (int64_t i = first[u], last = i; i < first[u + 1]; i++) {
            double angle = i == last ? 0 : 2 * asin(fmin(1, sqrt(haversine(lat, lon, last, i))));
            keep[i] = angle <= speed * (double)(at[i] - at[last]);
            if (keep[i]) last = i;
        }
}

/* Stays: points begin[k] to stop[k] - 1, until the time of point stop[k] or of the track's last.
 *
 * far: h of the distance at which a window ends. least, gap: microseconds that a stay lasts, and
 * that may pass between two points. strict: beyond `far` and `least`, not at them. last: the window
 * that a track ends in is no stay (0), one with the last point (1), or one that the last point ends
 * (2). Returns how many; there are at most as many as points. */
int64_t humob_find_stays(int64_t users, const int64_t *first, const int64_t *at, const double *lat,
                         const double *lon, double far, int64_t least, int64_t gap, int32_t strict,
                         int32_t last, int64_t *begin, int64_t *stop)
{
    int64_t found = 0;
    for (int64_t u = 0; u < users; u++) {
        int64_t start = first[u], end = first[u + 1];
        for (int64_t i = start + 1; i < end; i++) {
            if (at[i] - at[i - 1] > gap) {
                start = i;
                continue;
            }
            double apart = haversine(lat, lon, start, i);
            int out = strict ? apart > far : apart >= far;
            int closed = i == end - 1 && last == 2;
            if (!out && !closed) continue;
            int64_t lasts = at[i] - at[start];
            if (strict ? lasts > least : lasts >= least) {
                begin[found] = start;
                stop[found++] = i;
            }
            start = i;
        }
        if (last == 1 && start < end - 1 && at[end - 1] - at[start] >= least) {
            begin[found] = start;
            stop[found++] = end;
        }
    }
    return found;
}

static double turn(double degrees)
{
    return fabs(degrees) > 180 ? fmod(fmod(degrees + 180, 360) + 360, 360) - 180 : degrees;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(double *values, int64_t many, int32_t median)
{
    if (median) {
        qsort(values, (size_t)many, sizeof *values, ascending);
        return (values[(many - 1) / 2] + values[many / 2]) / 2;
    }
    double sum = 0;
    for (int64_t k = 0; k < many; k++) sum += values[k];
    return sum / (double)many;
}

/* Means or medians of the coordinates of runs of points, begin[k] to stop[k] - 1, in degrees. They
 * are measured from each run's first point, the short way round the earth, so that equal points have
 * themselves for a mean. Returns -1 if there is no memory. */
int32_t humob_place_stays(int64_t stays, const int64_t *begin, const int64_t *stop,
                          const double *lat, const double *lon, int32_t median, double *to_lat,
                          double *to_lon)
{
    int64_t most = 0;
    for (int64_t k = 0; k < stays; k++)
        if (stop[k] - begin[k] > most) most = stop[k] - begin[k];
    double *values = malloc((size_t)(most + 1) * sizeof *values);
    if (!values) return -1;
    for (int64_t k = 0; k < stays; k++) {
        int64_t first = begin[k], many = stop[k] - first;
        for (int64_t i = 0; i < many; i++) values[i] = lat[first + i] - lat[first];
        to_lat[k] = lat[first] + middle(values, many, median);
        for (int64_t i = 0; i < many; i++) values[i] = turn(lon[first + i] - lon[first]);
        to_lon[k] = turn(lon[first] + middle(values, many, median));
    }
    free(values);
    return 0;
}

static int64_t root(int64_t *parent, int64_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

/* Locations: stays of a user at most `near` (as h) apart are of one, as are those joined through
 * others (DBSCAN with a minimum of one). Label: the location's earliest stay. */
void humob_join_stays(int64_t users, const int64_t *first, const double *lat, const double *lon,
                      double near, int64_t *label)
{
    for (int64_t u = 0; u < users; u++) {
        for (int64_t i = first[u]; i < first[u + 1]; i++) {
            label[i] = i;
            for (int64_t j = first[u]; j < i; j++) {
                double north = sin((lat[j] - lat[i]) / 2);
                if (north * north > near || haversine(lat, lon, j, i) > near) continue;
                int64_t a = root(label, i), b = root(label, j);
                label[a > b ? a : b] = a > b ? b : a;
            }
        }
        for (int64_t i = first[u]; i < first[u + 1]; i++) label[i] = root(label, i);
    }
}
