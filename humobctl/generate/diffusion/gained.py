"""What a training of days gained: divergences beside a law of distances, which costs nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from humobctl.console import report
from humobctl.evaluate.divergence import jsd
from humobctl.evaluate.generated.statistics import SAMPLES
from humobctl.generate.diffusion.data import HOME_CLASS, OTHER_CLASS, WORK_CLASS, Known
from humobctl.generate.diffusion.decode import stays_of
from humobctl.native import Floats, Int64s
from humobctl.tables.stays import Stays

LAW = "law of distances"
_MODEL = "diffusion"
_METRICS = ("jump_distance", "radius")
_DRAWS, _CONFIDENCE = 200, 0.95


def draw_distances(asked: Known, learnt: Known, seed: int) -> Stays:
    """Days of the same homes and times, by distances of the training days in random directions.

    Works lie as far from home as a training person's; another place as far from the place before
    as one of the training days.
    """
    random = np.random.default_rng(seed)
    works, others = _distances(learnt)
    layout, where = asked.layout, np.zeros_like(asked.relative)
    for begin, end in zip(layout.first[:-1], layout.first[1:], strict=True):
        work, at = _throw(works, random), np.zeros(2)
        for event in range(begin, end):
            kind = asked.place_class[event]
            if kind == HOME_CLASS:
                at = np.zeros(2)
            else:
                at = work if kind == WORK_CLASS else at + _throw(others, random)
            where[event] = at
    return stays_of(layout, asked.place_class, where + asked.home[layout.day])


def _throw(lengths: Floats, random: np.random.Generator) -> Floats:
    length, angle = random.choice(lengths), random.uniform(0, 2 * np.pi)
    found: Floats = length * np.array([np.cos(angle), np.sin(angle)])
    return found


def _distances(learnt: Known) -> tuple[Floats, Floats]:
    """Metres from home to works, and from the place before to other places."""
    relative, layout = learnt.relative, learnt.layout
    before = np.concatenate([np.zeros((1, 2)), relative[:-1]])
    before[layout.first[:-1]] = 0.0
    lengths = {
        kind: np.hypot(*(relative - start)[learnt.place_class == kind].T)
        for kind, start in ((WORK_CLASS, 0.0 * before), (OTHER_CLASS, before))
    }
    return tuple(one if len(one) else np.zeros(1) for one in lengths.values())  # type: ignore[return-value]


def say_gained(
    sampled: Stays, real: Stays, asked: Known, learnt: Known, seed: int
) -> dict[str, Any]:
    """Say how near sampled days and those of the law are to real ones; for ``run.json``.

    Args:
        sampled: days that the model drew for people who were not trained on.
        real: their real days.
        asked: the same with homes and times.
        learnt: the training days.
        seed: of the law's draws and the intervals.
    """
    sides = {_MODEL: sampled, LAW: draw_distances(asked, learnt, seed)}
    days = len(asked.layout)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(days, np.full(days, 1 / days), _DRAWS).astype(float)
    scores: dict[str, dict[str, float]] = {name: {} for name in sides}
    gained = {}
    for metric in _METRICS:
        truth = _by_day(metric, real, days)
        counts = {name: _by_day(metric, one, days) for name, one in sides.items()}
        for name, mine in counts.items():
            scores[name][metric] = jsd(mine.sum(axis=0), truth.sum(axis=0))
        differences = [
            jsd(some @ counts[_MODEL], some @ truth) - jsd(some @ counts[LAW], some @ truth)
            for some in drawn
        ]
        tail = (1 - _CONFIDENCE) / 2
        low, high = np.quantile(differences, [tail, 1 - tail])
        mean = scores[_MODEL][metric] - scores[LAW][metric]
        gained[metric] = {"mean": float(mean), "low": float(low), "high": float(high)}
    _tell(scores, gained, days)
    return {"compared": {**scores, "gained": gained}}


def _by_day(metric: str, stays: Stays, days: int) -> Floats:
    """Counts of a metric by day and bin; a person has one day."""
    first = np.searchsorted(stays.uid, np.arange(days + 1))
    return np.stack([_counts(metric, stays, low, high) for low, high in pairwise(first.tolist())])


def _counts(metric: str, stays: Stays, low: int, high: int) -> Floats:
    rows: Int64s = np.arange(len(stays))
    return SAMPLES[metric](stays.take((rows >= low) & (rows < high))).sample().counts


def _tell(
    scores: dict[str, dict[str, float]], gained: dict[str, dict[str, float]], days: int
) -> None:
    report.info(f"{days} days of people not trained on, Jensen-Shannon divergence of real days:")
    for name, mine in scores.items():
        text = ", ".join(f"{metric.replace('_', ' ')} {mine[metric]:.4f}" for metric in _METRICS)
        report.info(f"  {name}: {text}")
    parts = [
        f"{metric.replace('_', ' ')} {one['mean']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]"
        for metric, one in gained.items()
    ]
    report.info(f"  {_MODEL} minus {LAW} (lower is better): {', '.join(parts)}")
    worse = [metric.replace("_", " ") for metric, one in gained.items() if one["high"] >= 0]
    if worse:
        report.warn(
            f"{_MODEL} is not decidedly nearer to real days in {' and '.join(worse)} than "
            "distances drawn from the training days; 'generate gravity' draws so, and needs no "
            "training"
        )
