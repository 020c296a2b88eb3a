"""Is an embedding any good? Re-identification and probes, beside simple baselines.

Shapes:  n rows of all users, u users, p parts of users' rows, E numbers of a vector.

A method makes a vector of any part of a user's rows (``Vectorise``). Re-identification cuts the
days of each user into two halves and looks for the second half of a user among those of all users
of the city, by cosine, and the other way round. Probes are ridge regressions for the least distance
from vectors to what they should tell, fitted on four fifths of the users and asked about the
others. What a vector is made from is not asked for: the day of the week goes into an embedder with
every row. Places that are counted (``Locate``) answer the same questions without a probe.

Intervals are percentiles of the bootstrap over the users of each city (Efron and Tibshirani, 1993);
probes are not fitted again, and the gallery stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.evaluate.scores import TableScore
from humobctl.native import Floats, Int64s
from humobctl.tables.calendar import DAYTIME, NIGHT
from humobctl.tables.cells import CELLS, decode_cells, encode_cells
from humobctl.tables.schemas import SLOTS_PER_DAY

CELL_KM = 0.5
FOLDS = 5
RESAMPLES = 1000
CONFIDENCE = 0.95
_PENALTIES = np.logspace(-4, 3, 15)
_ROUNDS = 4
"""Rounds of weights: more change the scores of B and C by less than .1 km."""
HALVES = ("alternate", "chronological")
NAMES = (
    *("reid_top1", "reid_top10", "reid_mrr"),
    *("home_km", "work_km", "next_day_km"),
)


@dataclass(frozen=True)
class CityRecords:
    """Rows of a city's users, sorted by user, day and slot.

    Attributes:
        x, y, d, t: columns, (n,).
        starts: first row of each user, and the end, (u + 1,).
        uid: (u,).
        first_weekday: of day 0; 0 is Sunday.
    """

    x: NDArray[np.int16]
    y: NDArray[np.int16]
    d: NDArray[np.int16]
    t: NDArray[np.uint8]
    starts: Int64s
    uid: Int64s
    first_weekday: int = 0

    @property
    def cell(self) -> Int64s:
        """Number of each row's cell, (n,)."""
        return encode_cells(self.x, self.y)

    @property
    def weekend(self) -> NDArray[np.bool_]:
        """Whether each row is on a Saturday or Sunday, (n,)."""
        dow = (self.d.astype(np.int64) + self.first_weekday) % 7
        weekend: NDArray[np.bool_] = (dow == 0) | (dow == 6)
        return weekend

    def frame(self) -> pl.DataFrame:
        """The rows as a table."""
        uid = np.repeat(self.uid, np.diff(self.starts))
        return pl.DataFrame({"uid": uid, "d": self.d, "t": self.t, "x": self.x, "y": self.y})

    def rows_of(self, user: int) -> Int64s:
        """Numbers of the rows of a user."""
        return np.arange(self.starts[user], self.starts[user + 1])


Parts = list[Int64s]
"""Numbers of rows, one array a part."""
Vectorise = Callable[[CityRecords, Parts], Floats]
"""Vectors of parts, (p, E)."""
UserScores = dict[tuple[str, str], Floats]
"""What each user adds to a score, by (name, halves), (u,): a distance in km, or hits and reciprocal
ranks, means of both directions; one NaN where there are too few users."""


@dataclass(frozen=True)
class Locate:
    """A method that counts: it says a place itself, without a probe, and has no vector.

    Attributes:
        places: x and y of parts in cells, (p, 2).
    """

    places: Callable[[CityRecords, Parts], Floats]


@dataclass(frozen=True)
class EmbeddingEvaluation:
    """Scores of one method.

    Attributes:
        name: of the method.
        users: that were scored, by city.
        scores: the scores, means over the cities by users.
        by_city: scores of each city, where there are several.
        trained_on: names of those cities that the method was trained on; None for baselines.
    """

    name: str
    users: dict[str, int]
    scores: list[TableScore]
    by_city: dict[str, list[TableScore]]
    trained_on: tuple[str, ...] | None = None


def halves(people: CityRecords, users: Int64s, how: str) -> tuple[Parts, Parts]:
    """Rows of users in two halves of their days.

    Args:
        people: the rows.
        users: numbers of users of two or more days.
        how: ``alternate`` takes the days on which the user is seen, alternating, ``chronological``
            the earlier and the later half of them.
    """
    first: Parts = []
    second: Parts = []
    for user in users.tolist():
        rows = people.rows_of(user)
        d = people.d[rows]
        day = np.cumsum(np.diff(d, prepend=d[0]) != 0)
        mine = day % 2 == 0 if how == "alternate" else day < (day[-1] + 1) // 2
        first.append(rows[mine])
        second.append(rows[~mine])
    return first, second


def ranks(queries: Floats, gallery: Floats) -> Int64s:
    """Place of each query's own vector among all of the gallery by cosine, from 1, (u,).

    Of vectors that are equally close, the own one counts as the last.
    """
    alike = _unit(queries) @ _unit(gallery).T
    own = np.diag(alike)[:, None]
    place: Int64s = (alike >= own - 1e-12).sum(axis=1).astype(np.int64)
    return place


def _unit(vectors: Floats) -> Floats:
    scaled: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled


def ridge(x: Floats, y: Floats, new: Floats) -> Floats:
    """Ridge regression of y on standardised x for the least mean distance, asked about new rows.

    What is scored is a distance, and a squared one would follow the few rows that lie far from
    what all others tell (a last day spent on a journey). So rows are weighted by one over the
    distance that is left of each (iteratively reweighted least squares: Schlossmacher, 1973).

    Args:
        x: (k, E).
        y: (k, m).
        new: (q, E).

    Returns:
        (q, m).
    """
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-12, spread, 1.0)
    x, new = (x - mean) / spread, (new - mean) / spread
    weight = np.ones(len(x))
    for _ in range(_ROUNDS):
        slope, constant, wrong = _weighted_ridge(x, y, weight)
        weight = 1 / np.maximum(wrong, max(float(np.median(wrong)) / 4, 1e-6))
        weight *= len(x) / weight.sum()
    told: Floats = new @ slope + constant
    return told


def _weighted_ridge(x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Slope (E, m), constant (m,), and each row's distance when it is left out, (k,).

    The penalty is the one with the least mean of those distances, which have a closed form (Golub,
    Heath and Wahba, 1979). Weights have the mean 1.
    """
    middle, centre = np.average(y, 0, weight), np.average(x, 0, weight)
    root = np.sqrt(weight)[:, None]
    u, s, vt = np.linalg.svd(root * (x - centre), full_matrices=False)
    asked = root * (y - middle)
    along = u.T @ asked
    best, wrong = 0.0, np.full(len(x), np.inf)
    for penalty in _PENALTIES * len(x):
        shrink = s**2 / (s**2 + penalty)
        left = 1 - weight / len(x) - (u**2 * shrink).sum(axis=1)
        apart = (asked - u @ (shrink[:, None] * along)) / np.maximum(left, 1e-6)[:, None] / root
        if (distance := np.linalg.norm(apart, axis=1)).mean() < wrong.mean():
            best, wrong = penalty, distance
    slope = vt.T @ ((s / (s**2 + best))[:, None] * along)
    return slope, middle - centre @ slope, wrong


def across(x: Floats, y: Floats, seed: int) -> Floats:
    """What ``ridge`` says of each row when fitted on the rows of the other folds, (k, m)."""
    fold = np.random.default_rng(seed).permutation(len(x)) % min(FOLDS, len(x))
    told = np.zeros_like(y)
    for number in np.unique(fold):
        mine = fold == number
        told[mine] = ridge(x[~mine], y[~mine], x[mine])
    return told


def most_frequent(people: CityRecords, chosen: NDArray[np.bool_], without: Int64s | None) -> Int64s:
    """Cell of most of each user's chosen rows, the lowest number first; -1 without any, (u,).

    Args:
        people: the rows.
        chosen: which rows count, (n,).
        without: a cell of each user that does not count, (u,).
    """
    cell = people.cell
    found = np.full(len(people.uid), -1, np.int64)
    for user in range(len(people.uid)):
        rows = people.rows_of(user)
        here = cell[rows][chosen[rows]]
        if without is not None:
            here = here[here != without[user]]
        if len(here):
            numbers, counts = np.unique(here, return_counts=True)
            found[user] = numbers[counts.argmax()]
    return found


def homes_and_works(people: CityRecords) -> tuple[Int64s, Int64s]:
    """Cells of each user's home and work, -1 where there are none, (u,) each."""
    night = (people.t < NIGHT[0]) | (people.t >= NIGHT[1])
    day = (people.t >= DAYTIME[0]) & (people.t < DAYTIME[1]) & ~people.weekend
    homes = most_frequent(people, night, None)
    return homes, most_frequent(people, day, homes)


def _cell_km(cell: Int64s) -> Floats:
    return (decode_cells(cell) - 1).astype(np.float64) * CELL_KM


def score_city(
    people: CityRecords, method: Vectorise | Locate, names: Sequence[str], seed: int
) -> UserScores:
    """What each user of a city adds to the scores of a method.

    Args:
        people: the rows of the users to score.
        method: makes vectors, or says places.
        names: of ``NAMES``.
        seed: of the folds.
    """
    days = np.array(
        [
            len(np.unique(people.d[a:b]))
            for a, b in zip(people.starts[:-1], people.starts[1:], strict=True)
        ]
    )
    users = np.flatnonzero(days >= 2)
    found: UserScores = {}
    if any(name.startswith("reid") for name in names):
        found |= _reid(people, users, method)
    if {"home_km", "work_km"} & set(names):
        everyone = [people.rows_of(user) for user in range(len(people.uid))]
        made = _answer(method, people, everyone)
        for name, cells in zip(("home_km", "work_km"), homes_and_works(people), strict=True):
            known = np.flatnonzero(cells >= 0)
            found[name, ""] = _distances(method, made[known], _cell_km(cells[known]), seed)
    if "next_day_km" in names:
        found["next_day_km", ""] = _next_day(people, users, method, seed)
    return {key: value for key, value in found.items() if key[0] in names}


_UNKNOWN = np.full(1, np.nan)


def _reid(people: CityRecords, users: Int64s, method: Vectorise | Locate) -> UserScores:
    found: UserScores = {}
    for how in HALVES:
        hits = [_UNKNOWN] * 3
        if len(users) >= 2 and not isinstance(method, Locate):
            first, second = (method(people, half) for half in halves(people, users, how))
            place = np.stack([ranks(first, second), ranks(second, first)])
            hits = [one.mean(axis=0) for one in (place <= 1, place <= 10, 1 / place)]
        for name, values in zip(("reid_top1", "reid_top10", "reid_mrr"), hits, strict=True):
            found[name, how] = values
    return found


def _answer(method: Vectorise | Locate, people: CityRecords, parts: Parts) -> Floats:
    """Vectors of parts, or their places in km."""
    if isinstance(method, Locate):
        return (method.places(people, parts) - 1) * CELL_KM
    return method(people, parts)


def _distances(method: Vectorise | Locate, made: Floats, truth: Floats, seed: int) -> Floats:
    """Distance in km of each place that is probed for, or counted, from the true one, (k,)."""
    if len(truth) < 2 * FOLDS:
        return _UNKNOWN
    told = made if isinstance(method, Locate) else across(made, truth, seed)
    wrong: Floats = np.linalg.norm(told - truth, axis=1)
    return wrong


def _next_day(people: CityRecords, users: Int64s, method: Vectorise | Locate, seed: int) -> Floats:
    """Distance in km of the middle of each user's last day, told from the days before."""
    if len(users) < 2 * FOLDS:
        return _UNKNOWN
    parts, middles = [], []
    for user in users.tolist():
        rows = people.rows_of(user)
        last = people.d[rows] == people.d[rows[-1]]
        parts.append(rows[~last])
        middles.append([people.x[rows[last]].mean(), people.y[rows[last]].mean()])
    truth = (np.array(middles) - 1) * CELL_KM
    return _distances(method, _answer(method, people, parts), truth, seed)


def summarize(name: str, values: Floats) -> float:
    """The score that users' values make: a median of km, or a mean."""
    return float(np.median(values) if name.endswith("_km") else np.mean(values))


def interval(
    name: str, cities: Sequence[Floats], weights: Floats, seed: int
) -> tuple[float, float]:
    """Percentile interval of a score, users of each city drawn with replacement.

    Args:
        name: of the score.
        cities: values of the users of each city, (u,).
        weights: of the cities, (c,).
        seed: of the draws.
    """
    if any(np.isnan(one).any() for one in cities):
        return np.nan, np.nan
    random = np.random.default_rng(seed)
    middle = np.median if name.endswith("_km") else np.mean
    drawn = [
        middle(one[random.integers(0, len(one), (RESAMPLES, len(one)))], axis=1) for one in cities
    ]
    low, high = np.quantile(
        np.average(drawn, axis=0, weights=weights), [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2]
    )
    return float(low), float(high)


MEAN, MEDIAN = (
    Locate(
        lambda people, parts, middle=middle: np.array(  # type: ignore[misc]
            [[middle(people.x[one]), middle(people.y[one])] for one in parts], np.float64
        )
    )
    for middle in (np.mean, np.median)
)
"""Baselines: mean and median of x and of y of a part's rows."""


@Locate
def median_day(people: CityRecords, parts: Parts) -> Floats:
    """Baseline: median, by x and by y, of the mean places of a part's days."""
    found = []
    for rows in parts:
        _, day, count = np.unique(people.d[rows], return_inverse=True, return_counts=True)
        means = [np.bincount(day, column[rows]) / count for column in (people.x, people.y)]
        found.append(np.median(means, axis=1))
    return np.array(found)


@Locate
def most_visited(people: CityRecords, parts: Parts) -> Floats:
    """Baseline: the cell of most rows of a part, the lowest number first."""
    cell = people.cell
    found = [np.unique(cell[one], return_counts=True) for one in parts]
    best = np.array([numbers[counts.argmax()] for numbers, counts in found])
    return decode_cells(best).astype(np.float64)


def slot_histograms(people: CityRecords, parts: Parts) -> Floats:
    """Baseline: square roots of the shares of a part's rows in each slot, (p, 48)."""
    counts = np.stack([np.bincount(people.t[p], minlength=SLOTS_PER_DAY) for p in parts])
    shares: Floats = np.sqrt(counts / counts.sum(axis=1, keepdims=True))
    return shares


def cells_of(people: CityRecords) -> Int64s:
    """The words of ``tfidf_svd``: each row's cell, (n,)."""
    return people.cell


def slot_cells_of(people: CityRecords) -> Int64s:
    """The words of ``tfidf_svd``: each row's slot and cell, (n,)."""
    return people.t.astype(np.int64) * CELLS + people.cell


def tfidf_svd(
    fitted: CityRecords, words: Callable[[CityRecords], Int64s] = cells_of, size: int = 128
) -> Vectorise:
    """Baseline: bags of cells, or of slots and cells, by tf-idf, projected on the main axes.

    A word weighs (1 + log count) * (log((1 + u) / (1 + users with it)) + 1), and a bag has length
    1. Weights and axes are those of whole users, labels are not needed.

    Args:
        fitted: users that weights and axes are taken from.
        words: numbers of what is counted.
        size: axes, at most as many as there are users.
    """
    from scipy.sparse import csr_matrix  # noqa: PLC0415
    from scipy.sparse.linalg import svds  # noqa: PLC0415

    known = np.unique(words(fitted))  # those of others have no axis

    def bags(people: CityRecords, parts: Parts) -> csr_matrix:
        lengths = [len(part) for part in parts]
        owner = np.repeat(np.arange(len(parts)), lengths)
        word = words(people)[np.concatenate(parts)]
        column = np.searchsorted(known, word).clip(0, len(known) - 1)
        there = known[column] == word
        counts = (np.ones(there.sum()), (owner[there], column[there]))
        found = csr_matrix(counts, shape=(len(parts), len(known)))
        found.sum_duplicates()
        found.data = 1 + np.log(found.data)
        return found

    whole = bags(fitted, [fitted.rows_of(user) for user in range(len(fitted.uid))])
    seen = np.bincount(whole.indices, minlength=len(known))
    weight = np.log((1 + len(fitted.uid)) / (1 + seen)) + 1

    def weigh(bag: csr_matrix) -> csr_matrix:
        heavy = bag.multiply(weight[None, :]).tocsr()
        length = np.sqrt(np.asarray(heavy.multiply(heavy).sum(axis=1)).ravel())
        return heavy.multiply(1 / np.maximum(length, 1e-12)[:, None]).tocsr()

    count = min(size, *(side - 1 for side in whole.shape))
    axes = svds(weigh(whole), k=count, random_state=0)[2] if count else None

    def vectorise(people: CityRecords, parts: Parts) -> Floats:
        heavy = weigh(bags(people, parts))
        told: Floats = heavy.toarray() if axes is None else np.asarray(heavy @ axes.T)
        return told

    return vectorise


_SAYS: dict[str, tuple[tuple[str, str], ...]] = {
    "home_km": (("cell", "most-rows-21:00-5:00"),),
    "work_km": (("cell", "most-rows-10:00-18:00-weekdays"),),
    "next_day_km": (("of", "middle-of-last-day"),),
}


def score_of(
    key: tuple[str, str],
    cities: Sequence[Floats],
    users: Sequence[int],
    seed: int,
    *,
    counted: bool,
) -> TableScore:
    """A score with its interval and what changes it.

    Args:
        key: name, and halves or "".
        cities: values of the users of each city.
        users: of each city; what it weighs.
        seed: of the interval.
        counted: whether places were counted, not probed for.
    """
    name, how = key
    weights = np.array(users, float)
    value = float(np.average([summarize(name, one) for one in cities], weights=weights))
    probe = ("probe", "none" if counted else f"ridge-{FOLDS}-fold")
    settings = (("halves", how), ("similarity", "cosine")) if how else (*_SAYS[name], probe)
    said = ("gallery" if how else "users", "+".join(map(str, users)))
    return TableScore(
        f"{name}_{how}" if how else name,
        value,
        "km" if name.endswith("_km") else "",
        not name.endswith("_km"),
        (*settings, said, ("interval", f"bootstrap-{RESAMPLES}-{CONFIDENCE}")),
        *interval(name, cities, weights, seed),
    )
