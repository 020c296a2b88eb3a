"""Laws of flows: their names, parameters and files.

======================  ===========================================================================
law                     parameters
======================  ===========================================================================
``gravity``             ``destination_exponent``, ``origin_exponent``, ``distance_exponent`` and
                        ``decay_per_km``, ``log_scale``: those that deterrence and constraint have
``radiation``           none
``extended-radiation``  ``alpha``
``opportunities``       ``gamma``, the chance to stay at an opportunity (one unit of mass)
======================  ===========================================================================
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from humobctl.errors import HumobError, UsageError
from humobctl.generate.flows.opportunities import OPPORTUNITY_LAWS
from humobctl.io.json_files import read_json_input
from humobctl.io.streams import whole_file

Deterrence = Literal["power", "exponential", "combined"]
Constraint = Literal["origin", "total", "none"]
Mass = Literal["population", "inflow", "attraction"]

FLOW_LAWS = ("gravity", *OPPORTUNITY_LAWS)
_CHOICES: dict[str, tuple[str, ...]] = {
    "name": FLOW_LAWS,
    "deterrence": get_args(Deterrence),
    "constraint": get_args(Constraint),
    "mass": get_args(Mass),
}
DETERRENCE_PARAMETERS: dict[str, tuple[str, ...]] = {
    "power": ("distance_exponent",),
    "exponential": ("decay_per_km",),
    "combined": ("distance_exponent", "decay_per_km"),
}


@dataclass(frozen=True)
class FlowLaw:
    """A law, with all that is needed to make flows by it.

    Attributes:
        name: which law.
        deterrence: how gravity falls with distance.
        constraint: what gravity keeps: the outflow of each origin, the total, or nothing. The other
            laws keep the outflows.
        mass: what draws people to an area: its population, the inflow it has in the flows fitted
            to, or (gravity only) its population times an attraction fitted to that inflow.
        parameters: values by name; empty before a fit.
        masses: inflows or attractions by area id, where ``mass`` says so.
    """

    name: str = "gravity"
    deterrence: Deterrence = "power"
    constraint: Constraint = "origin"
    mass: Mass = "population"
    parameters: dict[str, float] = field(default_factory=dict)
    masses: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name == "gravity":
            return
        for option, value, only in (
            ("--deterrence", self.deterrence, "power"),
            ("--constraint", self.constraint, "origin"),
        ):
            if value != only:
                raise UsageError(f"{option} {value} needs --law gravity")
        if self.mass == "attraction":
            raise UsageError("--mass attraction needs --law gravity")

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of its parameters, in the order in which they are fitted."""
        if self.name != "gravity":
            return tuple(OPPORTUNITY_LAWS[self.name].parameters)
        free = () if self.constraint == "origin" else ("log_scale", "origin_exponent")
        return (*free, "destination_exponent", *DETERRENCE_PARAMETERS[self.deterrence])

    def with_default_parameters(self) -> FlowLaw:
        """The law with the parameters that textbooks give: gravity by the inverse square.

        Raises:
            UsageError: it has parameters that only flows can give.
        """
        known: dict[str, float | None] = {
            "destination_exponent": 1.0,
            "distance_exponent": 2.0,
            "origin_exponent": 1.0,
            "log_scale": 0.0,
        }
        if self.name != "gravity":
            known = OPPORTUNITY_LAWS[self.name].parameters
        lacking = [name for name in self.wanted if known.get(name) is None]
        if lacking or self.mass != "population" or self.constraint == "none":
            what = ", ".join(lacking) or "what it is fitted to"
            raise UsageError(f"--law {self.name}: {what} not known; expected --fit FLOWS")
        return FlowLaw(**{**_own(self), "parameters": {name: known[name] for name in self.wanted}})

    def save(self, path: str) -> None:
        """Write it as JSON; the file appears whole or not at all."""
        with whole_file(path) as place:
            place.write_text(json.dumps(asdict(self), indent=2) + "\n")


def _own(law: FlowLaw) -> dict[str, Any]:
    return {item.name: getattr(law, item.name) for item in fields(law)}


def load_law(path: str) -> FlowLaw:
    """A law as ``save`` wrote it.

    Raises:
        HumobError: it cannot be read, or is something else.
    """
    record = read_json_input(path, "a law of flows")
    names = [item.name for item in fields(FlowLaw)]
    if not isinstance(record, dict) or set(record) != set(names):
        raise HumobError(f"{path}: expected a law of flows with {', '.join(names)}")
    for key, choices in _CHOICES.items():
        if record[key] not in choices:
            raise HumobError(
                f"{path}: {key}: found {record[key]!r}, expected one of {', '.join(choices)}"
            )
    for key in ("parameters", "masses"):
        if not _are_numbers(record[key]):
            raise HumobError(f"{path}: {key}: expected an object of finite numbers")
    law = FlowLaw(**record)
    if set(law.parameters) != set(law.wanted):
        raise HumobError(
            f"{path}: parameters: found {', '.join(law.parameters) or 'none'}, expected "
            f"{', '.join(law.wanted) or 'none'}"
        )
    return law


def _are_numbers(values: object) -> bool:
    return isinstance(values, dict) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and v - v == 0
        for v in values.values()
    )
