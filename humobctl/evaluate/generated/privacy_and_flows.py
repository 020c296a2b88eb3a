"""Privacy and flows among the scores of generated data, beside those of real people."""

from __future__ import annotations

import math

from humobctl.evaluate.flows.metrics import flows
from humobctl.evaluate.generated.privacy import privacy
from humobctl.evaluate.generated.run import Extra, GeneratedScore, half_of
from humobctl.evaluate.registry import Metric
from humobctl.evaluate.scores import TableScore
from humobctl.tables.stays import Stays

_YARDSTICK = "_real"


def privacy_scores(seed: int) -> Extra:
    """``privacy`` as a further score; its floor is the same of real people among themselves."""

    def score(generated: Stays, real: Stays) -> list[GeneratedScore]:
        found = {one.name: one for one in privacy(generated, real, seed=seed)}
        return [
            _beside(one, found.get(name + _YARDSTICK))
            for name, one in found.items()
            if not name.endswith(_YARDSTICK)
        ]

    return score


def flow_scores(cell_km: float, seed: int) -> Extra:
    """``flows`` as a further score; its floor is that of the halves of the real people."""

    def score(generated: Stays, real: Stays) -> list[GeneratedScore]:
        half = half_of(real, seed)
        floors: dict[str, TableScore] = {}
        if half is not None:
            pair = flows(real.take(half), real.take(~half), cell_km=cell_km)
            floors = {one.name: one for one in pair}
        return [
            _beside(one, floors.get(one.name)) for one in flows(generated, real, cell_km=cell_km)
        ]

    return score


def _beside(one: TableScore, floor: TableScore | None) -> GeneratedScore:
    metric = Metric(one.name, "", one.unit, bool(one.higher_is_better), one.settings)
    there = floor is not None and not math.isnan(floor.value)
    return GeneratedScore(metric, one.value, floor.value if there and floor else None)
