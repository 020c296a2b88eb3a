"""Validation: users' last known days, predicted from the days before, and scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from humobctl.console import report
from humobctl.evaluate.cells.run import CellEvalSettings
from humobctl.native import Floats, Int32s, Int64s
from humobctl.predict.base import PredictOptions, SlotDistributions, UserHistory
from humobctl.predict.baselines.history import History
from humobctl.predict.bert_moe.data import BertMoeColumns
from humobctl.predict.bert_moe.model import BertMoe
from humobctl.predict.bert_moe.predict import BertMoePredictor
from humobctl.predict.blend import WEIGHTS, best_weight, likelihood, mix, user_scores
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.decode_days.config import BLENDED, DEFAULTS, DayConfig
from humobctl.predict.decode_days.run import decode_user
from humobctl.predict.decode_slots import decode
from humobctl.tables.cells import decode_cells
from humobctl.training.recipe import Memo


@dataclass(frozen=True)
class ValidationUser:
    """A user whose last days are known.

    Attributes:
        city: number of the city, from 1.
        user: what is known, and what is asked.
        truth: the true cells, shape (r, 2).
    """

    city: int
    user: UserHistory
    truth: Int32s


def ask(rows: BertMoeColumns, users: Int64s, first_day: list[int]) -> list[ValidationUser]:
    """The users that have rows both before and from their city's first day on.

    Args:
        rows: the columns.
        users: numbers of the users.
        first_day: first day to predict, city by city.
    """
    found = []
    for number in users.tolist():
        begin, end = rows.starts[number], rows.starts[number + 1]
        city = int(rows.city[number])
        d, t = (column[begin:end].astype(np.int64) for column in (rows.d, rows.t))
        cells = decode_cells(rows.cell[begin:end])
        later = d >= first_day[city - 1]
        if later.any() and not later.all():
            x, y = (cells[~later, axis].astype(np.int64) for axis in (0, 1))
            user = UserHistory(
                int(rows.uid[number]), d[~later], t[~later], x, y, d[later], t[later]
            )
            found.append(ValidationUser(city, user, cells[later]))
    return found


def _distributions(
    network: BertMoe,
    cities: list[CityProfile],
    asked: list[ValidationUser],
    device: str,
    precision: str,
) -> Iterator[tuple[ValidationUser, CityProfile, SlotDistributions]]:
    """Each user's city and what the network predicts, city by city."""
    for number, city in enumerate(cities, start=1):
        here = [one for one in asked if one.city == number]
        model = BertMoePredictor(
            network, city, city_number=number, device=device, precision=precision
        )
        dists = model.distributions([one.user for one in here])
        for one, dist in zip(here, dists, strict=True):
            yield one, city, dist


def predict_blended(
    network: BertMoe,
    cities: list[CityProfile],
    asked: list[ValidationUser],
    device: str,
    precision: str,
) -> list[Int32s]:
    """The cells of each user as ``predict`` would choose them, with the network's blend."""
    weight, found = network.config.blend or 0.0, {}
    days = BLENDED if 0 < weight < 1 else DEFAULTS
    for one, city, dist in _distributions(network, cities, asked, device, precision):
        history = History(city, PredictOptions()).distribution(one.user)
        found[id(one)] = decode_user(one.user, city, mix(dist, history, weight), days)
    return [found[id(one)] for one in asked]


def validate(
    network: BertMoe,
    cities: list[CityProfile],
    asked: list[ValidationUser],
    device: str,
    precision: str,
) -> dict[str, float]:
    """GEO-BLEU, DTW (humob24), accuracy and loss, each a mean over the users.

    Cells are those of highest expected proximity, slot by slot; the loss is the mean of -log p of
    the true cells.
    """
    totals: dict[str, list[float]] = {name: [] for name in ("loss", "geobleu", "dtw", "accuracy")}
    scoring = CellEvalSettings(dialects=("humob24",), names=("geobleu", "dtw", "accuracy"))
    for one, _, dist in _distributions(network, cities, asked, device, precision):
        totals["loss"].append(float(-np.log(likelihood(dist, one.truth)).mean()))
        for name, value in user_scores(
            one.user, decode(dist, "geobleu"), one.truth, scoring
        ).items():
            totals[name.removesuffix("_humob24")].append(value)
    return {name: float(np.mean(values)) for name, values in totals.items()}


def learn_blend(
    network: BertMoe,
    cities: list[CityProfile],
    asked: list[ValidationUser],
    device: str,
    precision: str,
    memo: Memo,
) -> float:
    """The weight of the history baseline, learnt on GEO-BLEU and DTW of whole-day predictions.

    Scores go through ``memo``, weight by weight: there are minutes of work in each.
    """
    with report.progress("learning the blend", BLEND_ROUNDS * len(asked), "users") as ticker:
        ticker.beat()
        return _search_blend(network, cities, asked, device, precision, memo, ticker.advance)


BLEND_ROUNDS = len(WEIGHTS) + 2
"""Passes over the users: predictions, then days decoded at each weight."""


def _search_blend(
    network: BertMoe,
    cities: list[CityProfile],
    asked: list[ValidationUser],
    device: str,
    precision: str,
    memo: Memo,
    advance: Callable[[], None],
) -> float:
    pairs = []
    for one, city, dist in _distributions(network, cities, asked, device, precision):
        pairs.append((one, city, dist, History(city, PredictOptions()).distribution(one.user)))
        advance()
    scoring = CellEvalSettings(names=("geobleu", "dtw"))

    def score_at(weight: float, days: DayConfig = BLENDED) -> Floats:
        """GEO-BLEU of both dialects, and minus DTW of both, means over the users."""
        totals = np.zeros(4)
        for one, city, dist, history in pairs:
            cells = decode_user(one.user, city, mix(dist, history, weight), days)
            found = user_scores(one.user, cells, one.truth, scoring)
            geobleu = [found["geobleu_humob24"], found["geobleu_humob25"]]
            totals += [*geobleu, -found["dtw_humob24"], -found["dtw_humob25"]]
            advance()
        return totals / len(pairs)

    def recall(weight: float) -> Floats:
        days = BLENDED if weight < 1 else DEFAULTS
        return np.array(memo.once(f"blend {weight}", lambda: score_at(weight, days).tolist()))

    return best_weight(recall, alone=recall(1.0))


def time_blend(
    network: BertMoe,
    cities: list[CityProfile],
    asked: list[ValidationUser],
    device: str,
    precision: str,
) -> tuple[float, int]:
    """Seconds and bytes a user that ``learn_blend`` takes, found on these few users."""
    started = time.monotonic()
    found = list(_distributions(network, cities, asked, device, precision))
    mixed = [
        (one, city, mix(dist, History(city, PredictOptions()).distribution(one.user), 0.5))
        for one, city, dist in found
    ]
    predicted = time.monotonic()
    for one, city, dist in mixed:
        decode_user(one.user, city, dist, BLENDED)
    decoded = time.monotonic() - predicted
    kept = sum(dist.p.nbytes for _, _, dist in (*found, *mixed)) // len(asked)
    return (predicted - started + (BLEND_ROUNDS - 1) * decoded) / len(asked), kept
