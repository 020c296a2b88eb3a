"""What a training gained: a model as it will be used, beside the history baseline and others.

All are scored on the same users, and differences have bootstrap intervals over these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.evaluate.cells.bootstrap import RESAMPLES, resampled_means
from humobctl.evaluate.cells.run import CellEvalSettings
from humobctl.native import Floats, Int32s
from humobctl.predict.base import PredictOptions, Predictor, UserHistory
from humobctl.predict.baselines.history import History
from humobctl.predict.blend import user_scores
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.decode_days.config import DEFAULTS
from humobctl.predict.decode_days.run import decode_user

_NAMES = ("geobleu_humob24", "dtw_humob24")
_UNITS = (" GEO-BLEU", " km of DTW")
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class ScoredUser:
    """A user whose last days are known.

    Attributes:
        city: the calendar.
        user: what is known, and what is asked.
        truth: the true cells, shape (r, 2).
    """

    city: CityProfile
    user: UserHistory
    truth: Int32s


def predict_days(
    make: Callable[[CityProfile], Predictor], users: Sequence[ScoredUser]
) -> list[Int32s]:
    """Cells of each user by what ``make`` gives for the user's city, decoded as by ``predict``."""
    models: dict[int, Predictor] = {}
    found = []
    for one in users:
        model = models.setdefault(id(one.city), make(one.city))
        dist = model.distribution(one.user)
        found.append(decode_user(one.user, one.city, dist, DEFAULTS))
    return found


def predict_history(users: Sequence[ScoredUser]) -> list[Int32s]:
    """Cells of each user by the history baseline."""
    return predict_days(lambda city: History(city, PredictOptions()), users)


def say_gained(
    name: str, users: Sequence[ScoredUser], cells: Mapping[str, Sequence[Int32s]]
) -> dict[str, Any]:
    """Say what a model gained; the scores for ``run.json``, arguments as those of ``compare``."""
    found = compare(name, users, cells)
    tell(name, found, len(users))
    return {"compared": found}


def compare(
    name: str, users: Sequence[ScoredUser], cells: Mapping[str, Sequence[Int32s]]
) -> dict[str, dict[str, Any]]:
    """Mean scores by predictor, those of others with how much ``name`` differs from them.

    One user has no interval.

    Args:
        name: of the model that was trained, one of ``cells``.
        users: who is scored.
        cells: predicted cells of each user by predictor.
    """
    scoring = CellEvalSettings(dialects=("humob24",), names=("geobleu", "dtw"))

    def scores(predicted: Sequence[Int32s]) -> Floats:
        rows = [
            user_scores(one.user, mine, one.truth, scoring)
            for one, mine in zip(users, predicted, strict=True)
        ]
        return np.array([[row[column] for column in _NAMES] for row in rows])

    by_name = {other: scores(predicted) for other, predicted in cells.items()}
    tail = (1 - _CONFIDENCE) / 2
    found: dict[str, dict[str, Any]] = {}
    for other, values in by_name.items():
        found[other] = dict(zip(_NAMES, values.mean(axis=0).tolist(), strict=True))
        if other == name:
            continue
        gained = by_name[name] - values
        means = dict(zip(_NAMES, gained.mean(axis=0).tolist(), strict=True))
        found[other]["gained"] = {column: {"mean": mean} for column, mean in means.items()}
        if len(users) < 2:
            continue
        low, high = np.quantile(resampled_means(gained, RESAMPLES, 0), [tail, 1 - tail], axis=0)
        for column, below, above in zip(_NAMES, low.tolist(), high.tolist(), strict=True):
            found[other]["gained"][column] |= {"low": below, "high": above}
    return found


def tell(name: str, found: Mapping[str, Mapping[str, Any]], users: int) -> None:
    """Say what a model gained, a line a predictor; and plainly where it gained nothing."""
    report.info(f"{pluralize(users, 'user')} not trained on, predicted as 'predict' will:")
    not_better = []
    for other, scores in found.items():
        text = f"  {other}: GEO-BLEU {scores[_NAMES[0]]:.4f}, DTW {scores[_NAMES[1]]:.2f} km"
        if "gained" not in scores:
            report.info(text)
            continue
        gained = scores["gained"]
        parts = [_interval(gained[_NAMES[0]], "+.4f"), _interval(gained[_NAMES[1]], "+.2f")]
        differs = "; ".join(f"{part}{unit}" for part, unit in zip(parts, _UNITS, strict=True))
        report.info(f"{text}; {name} differs by {differs}")
        geobleu, dtw = (gained[name] for name in _NAMES)
        if not (geobleu.get("low", 0) > 0 or dtw.get("high", 0) < 0):
            not_better.append(other)
    if not_better:
        report.warn(
            f"{name} is not decidedly better than {' or '.join(not_better)} on these users, "
            "which cost less"
        )


def _interval(gained: Mapping[str, float], form: str) -> str:
    if "low" not in gained:
        return f"{format(gained['mean'], form)} (no interval of one user)"
    mean, low, high = (format(gained[key], form) for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
