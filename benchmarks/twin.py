"""A city's double: how real, how useful and how safe it is. Cities B and C, halves of the users."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import rankdata

from benchmarks.harness import DATA, WORK, cost, markdown
from benchmarks.headline import SCORES, per_user, score_cells
from humobctl.data.importers.stays import read_stays
from humobctl.data.measures import formulas
from humobctl.evaluate.divergence import jsd
from humobctl.evaluate.generated.statistics import SAMPLES
from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.cells import CELLS, encode_columns
from humobctl.tables.schemas import SLOTS_PER_DAY

FROM_STAYS = ("jump_distance", "radius", "daily_loc", "periodicity", "irank", "start")
CITIES, SPLITS = "BC", 3
EPSILONS = (1.0, 4.0, 16.0)
SHORT = ("jump_distance", "radius", "cells a user", "records a day", "presence, 5 km")
SQUARE = 10
"""Cells along a side of the squares of 5 km in which presence is counted, too."""


def read_city(city: str) -> pl.DataFrame:
    """All true rows of a city."""
    return pl.read_csv(DATA / "humob" / f"city{city}_100users.csv.gz").sort("uid", "d", "t")


def histograms(rows: pl.DataFrame) -> dict[str, Floats]:
    """What is compared, each as counts of bins."""
    place = WORK / "twin_stays.arrow"
    rows.write_ipc(place)
    stays = read_stays(str(place)).on(None)
    found = {name: SAMPLES[name](stays).sample().counts for name in FROM_STAYS}
    return found | _of_records(rows.sort("uid", "d", "t").with_columns(cell=encode_columns()))


def _of_records(rows: pl.DataFrame) -> dict[str, Floats]:
    uid, cell = (rows[name].to_numpy().astype(np.int64) for name in ("uid", "cell"))
    first = formulas.find_starts(uid)
    visits = rows.group_by("uid", "cell").len()
    users = visits.group_by("uid").agg(
        cells=pl.len(), entropy=formulas.shannon_entropy(pl.col("len"))
    )
    days = rows.group_by("uid", "d").len()["len"].to_numpy()
    hour, x, y = (rows[name].to_numpy().astype(np.int64) for name in ("t", "x", "y"))
    hour = hour // 2
    square = (x - 1) // SQUARE * (200 // SQUARE) + (y - 1) // SQUARE
    return {
        "records a day": np.bincount(days, minlength=SLOTS_PER_DAY + 1).astype(float),
        "cells a user": _bins(users["cells"].to_numpy(), 25, 17),
        "entropy": _bins(users["entropy"].to_numpy(), 0.5, 18),
        "real entropy": _bins(formulas.real_entropy(first, cell), 0.5, 18),
        "presence, 5 km": np.bincount(hour * 400 + square, minlength=24 * 400).astype(float),
        "presence, cell": np.bincount(hour * CELLS + cell, minlength=24 * CELLS).astype(float),
    }


def _bins(values: Floats | Int64s, width: float, count: int) -> Floats:
    index = np.minimum((values / width).astype(np.int64), count - 1)
    return np.bincount(index, minlength=count).astype(float)


def table() -> str:
    """Realism and safety over halves of the users of both cities; use for a ranker."""
    halves = {city: [Half(city, split) for split in range(SPLITS)] for city in CITIES}
    parts = [
        markdown(["city", "what", "twin", "real users", "ratio"], _realism(halves)),
        markdown(["attack or copy", "twin", "real users"], _safety(halves)),
        markdown(["city", "epsilon", *SHORT], _private(halves)),
        markdown(["city", "ranker of", *SCORES], _use()),
    ]
    return "\n\n".join(parts)


class Half:
    """A half of a city's users, what is made of it by ``data twin``, and the other half."""

    def __init__(self, city: str, split: int) -> None:
        rows = read_city(city)
        uids = rows["uid"].unique().sort().to_numpy()
        chosen = np.random.default_rng(split).permutation(uids)[: len(uids) // 2].tolist()
        inside = pl.col("uid").is_in(chosen)
        self.name = f"twin_{city}_{split}"
        self.city, self.split = rows, split
        self.fitted, self.held = rows.filter(inside), rows.filter(~inside)
        self.path = WORK / f"{self.name}_fitted.parquet"
        self.fitted.write_parquet(self.path)
        self.twin = self.make()

    def make(self, *options: str | float) -> pl.DataFrame:
        """The twin; what was made before is read again."""
        place = WORK / f"{self.name}{''.join(map(str, options))}.parquet"
        if not place.is_file():
            cost("data", "twin", self.path, "--seed", self.split, *options, "-o", place)
        return pl.read_parquet(place)


def _realism(halves: dict[str, list[Half]]) -> list[list[str]]:
    """Divergence from the users who were not fitted, of the twin and of those who were."""
    rows = []
    for city, parts in halves.items():
        found = [_divergences(part, part.twin) for part in parts]
        for name in found[0]:
            twin, real = np.array([one[name] for one in found]).T
            cells = [f"{v.mean():.4f} ({v.min():.4f}–{v.max():.4f})" for v in (twin, real)]
            rows.append([city, name, *cells, f"{twin.mean() / real.mean():.1f}"])
    return rows


def _divergences(half: Half, made: pl.DataFrame) -> dict[str, tuple[float, float]]:
    twin, real, held = (histograms(one) for one in (made, half.fitted, half.held))
    return {name: (jsd(twin[name], held[name]), jsd(real[name], held[name])) for name in held}


def _private(halves: dict[str, list[Half]]) -> list[list[str]]:
    """What privacy costs: one half of a city, three values of epsilon, and none."""
    rows = []
    for city, (half, *_) in [*halves.items()][:1]:
        for epsilon in (None, *EPSILONS):
            made = half.twin if epsilon is None else half.make("--epsilon", epsilon)
            scores = _divergences(half, made)
            name = "none" if epsilon is None else f"{epsilon:g}"
            rows.append([city, name, *(f"{scores[one][0]:.3f}" for one in SHORT)])
        rows.append([city, "real users", *(f"{scores[one][1]:.3f}" for one in SHORT)])
    return rows


# -- safety --------------------------------------------------------------------------------------


def _safety(halves: dict[str, list[Half]]) -> list[list[str]]:
    """Attacks on who was fitted, links by points, and copies of days."""
    rows = _membership(halves) + _membership(halves, "--shared", 50)
    flat = [half for parts in halves.values() for half in parts]
    for points in (2, 4):
        found = np.mean([_linked(half, points) for half in flat], axis=0)
        rows.append(
            [f"{points} points of a fitted user fit somebody", *(f"{v:.3f}" for v in found)]
        )
    found = np.mean([_copied(half) for half in flat], axis=0)
    rows.append(["days of 3 cells or more as a fitted user's", *(f"{v:.4f}" for v in found)])
    return rows


def _membership(halves: dict[str, list[Half]], *options: str | int) -> list[list[str]]:
    """Two attacks on who was fitted, where twins are made with some options."""
    every = [
        (
            np.array([_traits(one, one.make(*options)) for one in parts]),
            np.array([_fitted(one) for one in parts]),
        )
        for parts in halves.values()
    ]
    nearest = [(label, trait[..., 0]) for trait, label in every]
    shadow = [(label, _attack(trait, label)) for trait, label in every]
    name = " ".join(map(str, ("membership", *options)))
    return [
        [f"{name}, nearest neighbour: AUC", _auc_interval(nearest), ".5 is a guess"],
        [f"{name}, shadow models: AUC", _auc_interval(shadow), ".5 is a guess"],
    ]


def _fitted(half: Half) -> Bools:
    """Which users were fitted, in the order of their uid."""
    return half.city["uid"].unique().sort().is_in(half.fitted["uid"].unique().implode()).to_numpy()


def _traits(half: Half, twin: pl.DataFrame) -> Floats:
    """What an attacker sees of each user beside the twin, (users, 6)."""
    real, made = (_vectors(rows) for rows in (half.city, twin))
    alike = [np.sort(a @ b.T, axis=1)[:, ::-1] for a, b in zip(real, made, strict=True)]
    seen = made[0].sum(axis=0)
    cells = np.asarray(real[0] > 0)
    known = (cells * (seen > 0)).sum(axis=1) / cells.sum(axis=1)
    popular = (cells * np.log(seen + 1e-3)).sum(axis=1) / cells.sum(axis=1)
    columns = [alike[0][:, 0], alike[0][:, :5].mean(axis=1), alike[1][:, 0]]
    return np.stack([*columns, alike[1][:, :5].mean(axis=1), known, popular], axis=1)


def _vectors(rows: pl.DataFrame) -> list[Floats]:
    """Visits of each user by cell, and by square of 5 km and hour, of length 1."""
    uid = np.unique(rows["uid"].to_numpy(), return_inverse=True)[1]
    x, y, t = (rows[name].to_numpy().astype(np.int64) for name in "xyt")
    square = (x - 1) // SQUARE * 20 + (y - 1) // SQUARE
    found = []
    for key, size in (((x - 1) * 200 + y - 1, CELLS), (square * 24 + t // 2, 400 * 24)):
        counts = np.zeros((uid.max() + 1, size), np.float32)
        np.add.at(counts, (uid, key), 1)
        found.append(counts / np.linalg.norm(counts, axis=1, keepdims=True))
    return found


def _attack(traits: Floats, labels: Bools) -> Floats:
    """Scores of membership in each split by a model of the other splits, (splits, users).

    Each user's traits are taken from that user's mean over the other splits, whose members the
    attacker knows: the twins of these are the shadow models.
    """
    scores = np.zeros(labels.shape)
    for split in range(len(labels)):
        others = np.arange(len(labels)) != split
        centre, spread = traits[others].mean(axis=0), traits[others].std(axis=(0, 1)) + 1e-9
        inside = np.concatenate((traits[others] - centre) / spread)
        weights = _logistic(inside, np.concatenate(labels[others]).astype(float))
        scores[split] = ((traits[split] - centre) / spread) @ weights
    return scores


def _logistic(values: Floats, labels: Floats) -> Floats:
    """Weights of a logistic regression with a ridge (Newton's method)."""
    weights = np.zeros(values.shape[1])
    for _ in range(20):
        chance = 1 / (1 + np.exp(-values @ weights))
        slope = values.T @ (labels - chance) - weights
        bend = (values * (chance * (1 - chance))[:, None]).T @ values + np.eye(len(weights))
        weights += np.linalg.solve(bend, slope)
    return weights


def _auc_interval(found: list[tuple[Bools, Floats]]) -> str:
    """Mean over splits of the area under the curve, with a 95 % bootstrap interval over users."""
    rng = np.random.default_rng(0)

    def mean(draw: bool) -> float:
        areas = []
        for labels, scores in found:
            users = labels.shape[1]
            some = rng.integers(0, users, users) if draw else np.arange(users)
            areas += [_auc(a[some], b[some]) for a, b in zip(labels, scores, strict=True)]
        return float(np.mean(areas))

    low, high = np.quantile([mean(True) for _ in range(500)], (0.025, 0.975))
    return f"{mean(False):.3f} [{low:.3f}, {high:.3f}]"


def _auc(labels: Bools, scores: Floats) -> float:
    ranks = rankdata(scores)
    inside = int(labels.sum())
    return float(
        (ranks[labels].sum() - inside * (inside + 1) / 2) / (inside * (len(labels) - inside))
    )


def _linked(half: Half, points: int) -> tuple[float, float]:
    """How often random points of a fitted user are somebody's in the twin, and another user's."""
    rng = np.random.default_rng(half.split)
    hits = []
    where = ["d", "t", "x", "y"]
    for uid in half.fitted["uid"].unique().sort():
        mine = half.fitted.filter(uid=uid)
        some = mine[rng.permutation(len(mine))[:points].tolist()].select(where)
        pools = (half.twin, half.held)
        counts = [pool.join(some, on=where, how="semi").group_by("uid").len() for pool in pools]
        hits.append([bool((count["len"] == points).any()) for count in counts])
    twin, real = np.mean(hits, axis=0)
    return float(twin), float(real)


def _copied(half: Half) -> tuple[float, float]:
    """Fraction of days with the sequence of cells of a fitted user's day; and of other users'."""
    fitted = set(_days(half.fitted))
    twin, real = ([day in fitted for day in _days(rows)] for rows in (half.twin, half.held))
    return float(np.mean(twin)), float(np.mean(real))


def _days(rows: pl.DataFrame) -> list[tuple[int, ...]]:
    cells = rows.sort("uid", "d", "t").with_columns(cell=encode_columns())
    days = cells.group_by("uid", "d", maintain_order=True).agg(pl.col("cell"))
    return [tuple(day) for day in days["cell"].to_list() if len(set(day)) >= 3]


# -- use -----------------------------------------------------------------------------------------


def _use() -> list[list[str]]:
    """A ranker of a city's twin beside one of its users, days 60-74: means and intervals."""
    rows = []
    for city in CITIES:
        challenge = DATA / "humob" / f"city{city}_challenge.csv.gz"
        known = WORK / f"twin_{city}_known.parquet"
        read_city(city).filter(pl.col("d") < 60).write_parquet(known)
        twin = WORK / f"twin_{city}_all.parquet"
        cost("data", "twin", known, "-o", twin)
        scores = []
        for name, source in (("users", challenge), ("twin", twin)):
            model, place = WORK / f"twin_ranker_{city}_{name}", WORK / f"twin_{city}_{name}.csv"
            days = () if name == "users" else ("--hold-out", 0)
            cost("train", "ranker", source, *days, "-o", model, "--overwrite")
            cost("predict", challenge, "--model", model, "-o", place)
            scores.append(per_user(city, place))
            rows.append([city, name, *score_cells(scores[-1])])
        rows.append([city, "twin minus users", *score_cells(scores[1] - scores[0], sign="+")])
    return rows
