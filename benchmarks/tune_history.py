"""Chooses the defaults of HistoryConfig: coordinate search on days before 60 only.

Four tuning sets: cities B and C, days 30-44 hidden (history 0-29) and days 45-59 hidden (history
0-44). The aim is the mean over the four of GEO-BLEU (humob24) with --decode geobleu; one set of
settings for both cities. A value replaces another only where it gains more than LEAST, so that
ties keep the earlier, simpler value. Days off are inferred from each set's own known days.

    python -m benchmarks.tune_history        # about three minutes
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from benchmarks.harness import DATA
from humobctl.evaluate.cells.align import Mismatch, align
from humobctl.evaluate.cells.run import CellEvalSettings, score
from humobctl.io.by_user import UserStore, paired_groups
from humobctl.io.read import read_table
from humobctl.predict.baselines.history import History, HistoryConfig
from humobctl.predict.run import PredictJob, PredictTally, Targets, predict_group, survey

SPLITS = ((30, 44), (45, 59))
LEAST = 1e-4
START = HistoryConfig(slot_width=1.0, wide_share=0.1, recency=60.0, other_type=0.2, gap=0.0)
GRID: dict[str, list[float]] = {
    "gap": [0.0, 0.2, 0.4, 0.6, 0.9, 1.3],
    "slot_width": [0.3, 0.5, 0.7, 1.0, 1.4],
    "wide_share": [0.03, 0.06, 0.1, 0.2, 0.3],
    "slot_wide": [3.0, 4.5, 6.0, 9.0],
    "recency": [30.0, 45.0, 60.0, 90.0, 120.0],
    "other_weekday": [0.4, 0.55, 0.7, 0.85, 1.0],
    "other_type": [0.05, 0.1, 0.2, 0.3, 0.5],
}


class TuningSet:
    """The rows of one city up to a day, the last days of which are to be predicted."""

    def __init__(self, city: str, days: tuple[int, int]) -> None:
        rows = read_table(str(DATA / "humob" / f"city{city}_challenge.csv.gz"))
        rows = rows.filter(pl.col("d") <= days[1])
        self.truth = rows.filter(pl.col("d") >= days[0]).sort("uid", "d", "t")
        self.job = PredictJob(decode="geobleu", targets=Targets(days))
        with UserStore() as store:
            store.collect([rows])
            self.city, _ = survey(store, self.job, city)
            ((self.rows,),) = paired_groups([store])

    def geobleu(self, config: HistoryConfig) -> float:
        """Mean over users of the mean over days."""
        model = History(self.city, self.job.options, config)
        frames = list(predict_group(self.rows, model, self.city, self.job, PredictTally()))
        days, _ = align(pl.concat(frames), self.truth, Mismatch(), Mismatch())
        settings = CellEvalSettings(dialects=("humob24",), names=("geobleu",))
        values = score(days, settings)["geobleu_humob24"]
        _, owner = np.unique(days.uid, return_inverse=True)
        return float((np.bincount(owner, values) / np.bincount(owner)).mean())


def search(sets: list[TuningSet]) -> HistoryConfig:
    """Coordinate search until a whole sweep changes nothing."""

    def measure(config: HistoryConfig) -> float:
        return float(np.mean([one.geobleu(config) for one in sets]))

    best, top, before = START, measure(START), None
    print(f"start {top:.5f}")
    while before != best:
        before = best
        for name, values in GRID.items():
            tried = {value: measure(replace(best, **{name: value})) for value in values}
            value = max(tried, key=tried.__getitem__)
            if tried[value] > top + LEAST:
                best, top = replace(best, **{name: value}), tried[value]
            shown = "  ".join(f"{v:g}: {s:.4f}" for v, s in tried.items())
            print(f"{name:14s} -> {getattr(best, name):g}   {shown}", flush=True)
    return best


if __name__ == "__main__":
    print(search([TuningSet(city, days) for city in "BC" for days in SPLITS]))
