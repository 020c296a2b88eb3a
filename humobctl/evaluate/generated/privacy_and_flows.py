"""Privacy and flows among the scores of generated data, beside those of real people."""

from __future__ import annotations

from humobctl.evaluate.flows.metrics import flows
from humobctl.evaluate.generated.floor import Floor, draw_halves
from humobctl.evaluate.generated.privacy import privacy
from humobctl.evaluate.generated.run import Extra, GeneratedScore
from humobctl.evaluate.registry import Metric
from humobctl.evaluate.scores import TableScore
from humobctl.tables.stays import Stays

_YARDSTICK = "_real"


def privacy_scores(seed: int) -> Extra:
    """``privacy`` as a further score; its floor is the same of real people among themselves."""

    def score(generated: Stays, real: Stays) -> list[GeneratedScore]:
        found = {one.name: one for one in privacy(generated, real, seed=seed)}
        return [
            _beside(one, [found[key].value for key in (name + _YARDSTICK,) if key in found])
            for name, one in found.items()
            if not name.endswith(_YARDSTICK)
        ]

    return score


def flow_scores(cell_km: float, seed: int) -> Extra:
    """``flows`` as a further score; its floor is that of halves of the real people.

    Not of samples with replacement: two of these have the rare pairs of cells in common, which two
    groups of people have not.
    """

    def score(generated: Stays, real: Stays) -> list[GeneratedScore]:
        found: dict[str, list[float]] = {}
        people, owner = real.people(), real.person_index()
        for half, _ in draw_halves(people, seed) if people > 1 else ():
            inside = half[owner] > 0
            for one in flows(real.take(inside), real.take(~inside), cell_km=cell_km):
                found.setdefault(one.name, []).append(one.value)
        return [
            _beside(one, found.get(one.name, [])) for one in flows(generated, real, cell_km=cell_km)
        ]

    return score


def _beside(one: TableScore, floors: list[float]) -> GeneratedScore:
    higher = bool(one.higher_is_better)
    metric = Metric(one.name, "", one.unit, higher, one.settings)
    return GeneratedScore(metric, one.value, Floor.of(floors, higher_is_better=higher))
