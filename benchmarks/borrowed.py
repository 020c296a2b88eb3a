"""Does a prediction gain by similar users, or by bert-moe? Days 45-59 of cities B and C.

Nothing of days 45-59 is trained on by the embedders (``--last-day 44``) and by bert-moe, which
keeps the last 15 days before the hold-out for its validation. ``SEEDS`` (0,1,2) are seeds of all
trainings, and of the halves of the users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import DATA, WORK, cost, markdown
from benchmarks.trainings import BOTH, NAMED, SEEDS, TRAININGS, train_once
from humobctl.embed.vectors import read_embeddings
from humobctl.evaluate.cells.run import CellEvalSettings
from humobctl.io.read import read_table
from humobctl.native import Float32s, Floats, Int32s
from humobctl.predict.base import PredictOptions, Predictor, SlotDistributions, UserHistory
from humobctl.predict.baselines.history import History
from humobctl.predict.blend import likelihood, mix, user_scores
from humobctl.predict.city_profile import CityCounter, CityProfile
from humobctl.predict.decode_days.run import decode_user
from humobctl.predict.decode_slots import decode
from humobctl.predict.ranker.config import RankerConfig
from humobctl.predict.ranker.data import NEVER, RankerTrainingSet, row_weights, soft_labels
from humobctl.predict.ranker.features import encode
from humobctl.predict.ranker.model import softmax, standardize, start_scores, transform
from humobctl.predict.ranker.train import RankerTraining
from humobctl.predict.registry import build
from humobctl.tables.cells import encode_cells

FIRST, END = 45, 60
CITIES = "BC"
NEIGHBOURS = 5
WEIGHTS = (0.02, 0.05, 0.1)
SCORES = ("geobleu_humob24", "dtw_humob24", "accuracy")
CONFIG = RankerConfig(members=1)


@dataclass(frozen=True)
class Asked:
    """A user asked about days 45-59.

    Attributes:
        name: of the city.
        city: its calendar.
        user: what is known and asked.
        truth: the true cells, (r, 2).
    """

    name: str
    city: CityProfile
    user: UserHistory
    truth: Int32s


def people(name: str) -> list[Asked]:
    """Users of a city with records on both sides of day 45."""
    file = str(DATA / "humob" / f"city{name}_challenge.csv.gz")
    table = read_table(file).filter((pl.col("x") != 999) & (pl.col("d") < END))
    counter = CityCounter(75)
    counter.add(table.filter(pl.col("d") < FIRST))
    city, found = counter.city(), []
    for part in table.sort("uid", "d", "t").partition_by("uid", maintain_order=True):
        d, t, x, y = (part[column].to_numpy().astype(np.int64) for column in "dtxy")
        past = d < FIRST
        if past.any() and not past.all():
            known = (d[past], t[past], x[past], y[past])
            user = UserHistory(int(part.item(0, "uid")), *known, d[~past], t[~past])
            truth = np.column_stack([x[~past], y[~past]]).astype(np.int32)
            found.append(Asked(name, city, user, truth))
    return found


def evaluate(asked: Sequence[Asked], dists: Sequence[SlotDistributions], how: str) -> Floats:
    """Mean negative log likelihood, GEO-BLEU, DTW and accuracy of users, (4,)."""
    settings = CellEvalSettings(dialects=("humob24",), names=("geobleu", "dtw", "accuracy"))
    rows = []
    for one, dist in zip(asked, dists, strict=True):
        cells = decode_user(one.user, one.city, dist) if how == "day" else decode(dist, how)
        found = user_scores(one.user, cells, one.truth, settings)
        rows.append([-np.log(likelihood(dist, one.truth)).mean(), *(found[key] for key in SCORES)])
    return np.array(rows)


def as_row(name: str, decoder: str, seeds: Sequence[Floats], plain: Sequence[Floats]) -> list[str]:
    """Means over users and seeds, and how far the seeds' means lie from those of ``plain``."""
    values = np.stack([one.mean(axis=0) for one in seeds])
    apart = values - np.stack([one.mean(axis=0) for one in plain])
    texts = []
    for column, digits in enumerate((4, 4, 2, 4)):
        low, high = apart[:, column].min(), apart[:, column].max()
        text = f"{values[:, column].mean():.{digits}f}"
        texts.append(
            text if low == high == 0 else f"{text} ({low:+.{digits}f} to {high:+.{digits}f})"
        )
    return [name, decoder, *texts]


COLUMNS = ["predictor", "decoder", "NLL", "GEO-BLEU", "DTW km", "accuracy"]


def neighbours() -> str:
    """The history baseline, mixed with that of the five users nearest by ``embed``, or others."""
    asked = {name: people(name) for name in CITIES}
    everyone = [one for name in CITIES for one in asked[name][::2]]
    plain = [History(one.city, PredictOptions()).distribution(one.user) for one in everyone]
    begun = evaluate(everyone, plain, "geobleu")
    rows = [as_row("history", "geobleu", [begun], [begun])]
    chosen: dict[str, list[Callable[[Asked], list[UserHistory]]]] = {
        "nearest by embedding": [_nearest(seed, asked) for seed in SEEDS],
        "other users": [_drawn(seed, asked) for seed in SEEDS],
    }
    for title, ways in chosen.items():
        lent = [[_lend(one, way(one)) for one in everyone] for way in ways]
        for weight in WEIGHTS:
            found = [
                evaluate(
                    everyone,
                    [mix(a, b, weight) for a, b in zip(plain, some, strict=True)],
                    "geobleu",
                )
                for some in lent
            ]
            rows.append(as_row(f"{title}, {weight:g}", "geobleu", found, [begun] * len(found)))
    return markdown(COLUMNS, rows)


def _lend(one: Asked, others: list[UserHistory]) -> SlotDistributions:
    """Mean of what the history baseline says of others at the rows that one is asked about."""
    model = History(one.city, PredictOptions())
    dists = [
        model.distribution(replace(other, target_d=one.user.target_d, target_t=one.user.target_t))
        for other in others
    ]
    whole = dists[0]
    for count, dist in enumerate(dists[1:], 2):
        whole = mix(whole, dist, 1 / count)
    return whole


def _drawn(seed: int, asked: dict[str, list[Asked]]) -> Callable[[Asked], list[UserHistory]]:
    def choose(one: Asked) -> list[UserHistory]:
        others = [other.user for other in asked[one.name] if other.user.uid != one.user.uid]
        random = np.random.default_rng((seed, one.user.uid))
        return [others[n] for n in random.choice(len(others), NEIGHBOURS, replace=False)]

    return choose


def embedder(seed: int) -> Path:
    """An embedder of that seed, trained on days 0-44 unless it is there."""
    folder = WORK / f"borrowed_embedder_{seed}"
    if not folder.is_dir():
        options = ("--preset", "tiny", "--last-day", FIRST - 1, "--seed", seed, "-o", folder)
        cost("train", "embedder", *BOTH, *NAMED, *options)
    return folder


def _nearest(seed: int, asked: dict[str, list[Asked]]) -> Callable[[Asked], list[UserHistory]]:
    """Users whose vectors of days 0-44 are nearest, by an embedder of that seed."""
    vectors = WORK / f"borrowed_{seed}.parquet"
    if not vectors.is_file():
        days = ("--days", f"0-{FIRST - 1}", "-o", vectors)
        cost("embed", *BOTH, *NAMED, "--model", embedder(seed), *days)
    found = read_embeddings(str(vectors))
    assert found.city is not None
    where = {
        (str(city), int(uid)): number
        for number, (city, uid) in enumerate(zip(found.city, found.uid, strict=True))
    }

    def choose(one: Asked) -> list[UserHistory]:
        others = [other.user for other in asked[one.name] if other.user.uid != one.user.uid]
        numbers = [where[one.name, other.uid] for other in others]
        alike = found.vectors[numbers] @ found.vectors[where[one.name, one.user.uid]]
        return [others[n] for n in np.argsort(-alike)[:NEIGHBOURS]]

    return choose


@dataclass(frozen=True)
class Rows:
    """Rows of a user as the ranker takes them.

    Attributes:
        asked: the user.
        kept: candidates, (r, K); cells are those of ``cells``.
        cells: the user's cells, (k, 2).
        rows: features, labels, start scores and weights.
        told: probability of each candidate by bert-moe, (r, K).
    """

    asked: Asked
    kept: Int32s
    cells: Int32s
    rows: RankerTrainingSet
    told: Floats


def rows_of(one: Asked, dist: SlotDistributions) -> Rows:
    """Rows of a user, with what bert-moe says of the candidates."""
    encoded = encode(one.user, one.city, CONFIG.keep)
    r, keep, count = encoded.x.shape
    z = transform(encoded.x.reshape(r * keep, count)).reshape(r, keep, count)
    labels = soft_labels(encoded, one.truth.astype(np.int64), CONFIG.soften)
    start = start_scores(encoded.start).astype(np.float32)
    rows = RankerTrainingSet(z, labels, start, row_weights(one.user).astype(np.float32))
    keys, own = (encode_cells(some[:, 0], some[:, 1]) for some in (dist.cells, encoded.cells))
    place = np.searchsorted(keys, own).clip(max=len(keys) - 1)
    p = np.where(keys[place] == own, dist.p[:, place], 0.0)
    told = np.take_along_axis(p, encoded.kept.astype(np.int64), axis=1)
    return Rows(one, encoded.kept, encoded.cells, rows, told)


def with_feature(one: Rows) -> RankerTrainingSet:
    """The logarithm of bert-moe's probability as one more feature."""
    told = np.log(one.told + 1e-3).astype(np.float32)[:, :, None]
    return replace(one.rows, z=np.concatenate([one.rows.z, told], axis=2))


def distilled(one: Rows) -> RankerTrainingSet:
    """Half of each label by bert-moe."""
    shares = one.told / np.maximum(one.told.sum(axis=1, keepdims=True), 1e-12)
    return replace(one.rows, y=(0.5 * one.rows.y + 0.5 * shares).astype(np.float32))


WAYS: dict[str, tuple[Callable[[Rows], RankerTrainingSet], Callable[[Rows], RankerTrainingSet]]] = {
    "ranker": (lambda one: one.rows, lambda one: one.rows),
    "with bert-moe as a feature": (with_feature, with_feature),
    "distilled from bert-moe": (distilled, lambda one: one.rows),
}
"""What is trained on, and what is asked."""


def bert_feature() -> str:
    """A ranker of one half of the users on the other half, alone and with what bert-moe says."""
    found: dict[tuple[str, str], list[Floats]] = {}
    everyone = [one for name in CITIES for one in people(name)]
    for seed in SEEDS:
        dists = told(train_once("bert-moe", seed, *TRAININGS["bert-moe"])[0], everyone)
        rows = [rows_of(one, dist) for one, dist in zip(everyone, dists, strict=True)]
        order = np.random.default_rng(seed).permutation(len(rows))
        learnt, held = ([rows[n] for n in half] for half in np.array_split(order, 2))
        asked = [one.asked for one in held]
        alone = [dists[n] for n in np.array_split(order, 2)[1]]
        made = {"bert-moe alone": alone}
        for title, (train, ask) in WAYS.items():
            made[title] = _ranked([train(one) for one in learnt], held, ask, seed)
        made["both, averaged"] = [
            mix(a, b, 0.5) for a, b in zip(made["ranker"], alone, strict=True)
        ]
        for title, some in made.items():
            for how in ("geobleu", "day"):
                found.setdefault((title, how), []).append(evaluate(asked, some, how))
    rows_out = [
        as_row(title, how, values, found["ranker", how]) for (title, how), values in found.items()
    ]
    return markdown(COLUMNS, rows_out)


def told(folder: Path, everyone: list[Asked]) -> list[SlotDistributions]:
    """What a bert-moe model alone says."""
    found = []
    for name in CITIES:
        here = [one for one in everyone if one.name == name]
        options = PredictOptions(city=name, blend=0.0)
        model: Predictor = build(str(folder), here[0].city, options)
        found += model.distributions([one.user for one in here])  # type: ignore[attr-defined]
    return found


def _ranked(
    sets: list[RankerTrainingSet],
    held: list[Rows],
    ask: Callable[[Rows], RankerTrainingSet],
    seed: int,
) -> list[SlotDistributions]:
    """What a ranker says of users held out."""
    whole = RankerTrainingSet(
        *(np.concatenate([_pad(getattr(one, name), name) for one in sets]) for name in _FIELDS)
    )
    training = RankerTraining(whole, replace(CONFIG, seed=seed))
    while training.step < training.plan.steps:
        training.advance()
    network, found = training.network(), []
    for one in held:
        z: Float32s = ask(one).z.copy()
        r, keep, count = z.shape
        flat = standardize(z.reshape(r * keep, count), network.mean, network.scale)
        shares = softmax(one.rows.start + network.scores(flat).reshape(r, keep))
        p = np.zeros((r, len(one.cells)))
        np.put_along_axis(p, one.kept.astype(np.int64), shares, axis=1)
        found.append(SlotDistributions(one.cells, p))
    return found


_FIELDS = ("z", "y", "start", "weight")


def _pad(values: Float32s, name: str) -> Float32s:
    """Values of as many candidates as others have; users of few cells have fewer."""
    if values.ndim == 1:
        return values
    lacking = [(0, 0), (0, CONFIG.keep - values.shape[1]), *[(0, 0)] * (values.ndim - 2)]
    padded: Float32s = np.pad(values, lacking, constant_values=NEVER if name == "start" else 0)
    return padded
