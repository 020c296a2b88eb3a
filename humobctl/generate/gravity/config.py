"""The laws by which people choose places, their parameters, and how people travel.

``docs/generate.md`` has the formulas and their sources.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from humobctl.errors import UsageError
from humobctl.generate.gravity.distance_weights import (
    BUILT_IN,
    SONG,
    DistanceWeights,
    load_weights,
)

LAWS = {
    "gravity": "density of the ring divided by distance to the power of --exponent (CoPB)",
    "power": "distance to the power of minus --exponent",
    "exponential": "exp(-distance / --scale)",
    "radiation": "the radiation model (Simini et al. 2012)",
    "opportunity": "the universal opportunity model (CoPB; Liu and Yan 2020)",
    "epr": "density-EPR: explore by 'power', or return to known places (Song et al. 2010)",
    "random": "any place of the intent, however far",
    "home-work": "home and work only",
    "empirical": "as observed: fitted to visits, or to people in Beijing",
    "copb": "'gravity' among 50 candidates drawn by distance, as in CoPB's code",
}
"""Name -> what a place's weight is; in the order of the kernel's numbers."""
NEAR = 3.0
"""Km within which `empirical` counts places ring by ring; only its speed depends on this."""
EXPLORING = ("rho", "gamma")
"""Parameters of exploration, which `empirical` has, too."""
DETERRED = ("gravity", "power", "epr")
"""Laws with an exponent of distance."""


@dataclass(frozen=True)
class Law:
    """A law of mobility with its parameters.

    Attributes:
        name: one of ``LAWS``.
        radius: km within which candidates are looked for.
        most: km up to which the radius is doubled where there is none.
        exponent: of distance, for ``gravity``, ``power`` and ``epr``.
        scale: km over which ``exponential`` falls to 1/e.
        alpha, beta: exploratory and cautious tendency of ``opportunity``; the defaults are the
            middle of the triangle whose corners are its three limits.
        rho, gamma: ``epr`` explores with probability rho * S**-gamma after S places; the defaults
            are those of Song et al. Those of ``empirical`` are in ``weights``.
        weights: of ``empirical``, by distance.
    """

    name: str = "gravity"
    radius: float = 10.0
    most: float = 80.0
    exponent: float = 2.0
    scale: float = 2.0
    alpha: float = 1 / 3
    beta: float = 1 / 3
    rho: float = SONG[0]
    gamma: float = SONG[1]
    weights: DistanceWeights | None = None

    @property
    def number(self) -> int:
        """The kernel's number of the law."""
        return list(LAWS).index(self.name)

    def check(self) -> Law:
        """The law itself; ``empirical`` with the weights of Beijing where it has none.

        Raises:
            UsageError: parameters that do not go together.
        """
        if self.most < self.radius:
            raise UsageError(
                f"--max-radius: found {self.most:g} km, expected at least --radius, "
                f"{self.radius:g} km"
            )
        if self.alpha + self.beta > 1 + 1e-9:
            raise UsageError(
                f"--alpha and --beta: found {self.alpha:g} and {self.beta:g}, expected a sum of "
                "at most 1"
            )
        if self.name == "empirical" and self.weights is None:
            return replace(self, weights=load_weights(BUILT_IN))
        return self


def law_named(
    name: str,
    *,
    radius: float | None = None,
    most: float | None = None,
    fit: str | None = None,
    **given: float,
) -> Law:
    """The law of a name, or the one that a file of ``--save-law`` holds.

    Args:
        name: one of ``LAWS``, or the path of a .json file.
        radius: km within which candidates are looked for; None for 10.
        most: km up to which the radius is doubled where there is none; None for 8 times as much.
        fit: what the law is to be fitted to, if it is.
        given: its other parameters.

    Raises:
        UsageError: no such law, or parameters that do not go together.
        HumobError: the file cannot be read, or is something else.
    """
    if name not in LAWS and not name.endswith(".json"):
        raise UsageError(f"--law: found {name!r}, expected {', '.join(LAWS)}, or a .json file")
    if name in LAWS and name != "empirical":
        radius = Law.radius if radius is None else radius
        return Law(name, radius, 8 * radius if most is None else most, **given).check()  # type: ignore[arg-type]
    bounds = {"--radius": radius, "--max-radius": most}
    unused = [option for option, value in bounds.items() if value is not None]
    unused += [f"--{option}" for option in given if option not in EXPLORING]
    if unused:
        raise UsageError(f"{unused[0]}: found --law {name}, expected another law: it has none")
    if name == "empirical":
        return Law(name, NEAR).check()
    if fit is not None:
        raise UsageError(
            f"--fit: found the file of a fitted law, {name}, expected the name of a law"
        )
    return Law("empirical", NEAR, weights=load_weights(name)).check()


def set_observed(law: Law, nights_away: float | None, **given: float) -> Law:
    """The law `empirical` with other numbers than those that were fitted; any other law as it is.

    Args:
        law: the law.
        nights_away: chance that a day ends away from home; None leaves it.
        given: of exploration on later days, rho or gamma.

    Raises:
        UsageError: nights away under another law.
    """
    if law.weights is None:
        if nights_away is not None:
            raise UsageError(f"--nights-away: found --law {law.name}, expected --law empirical")
        return law
    weights = replace(
        law.weights,
        away=law.weights.away if nights_away is None else nights_away,
        rho=given.get("rho", law.weights.rho),
        gamma=given.get("gamma", law.weights.gamma),
    )
    return replace(law, weights=weights)


COMMUTE = Law("radiation", radius=80.0)
"""By which a person without a known workplace is given one, from home."""


@dataclass(frozen=True)
class Travel:
    """How people get from event to event.

    Attributes:
        speed: km/h along the straight line, from door to door.
        least: minutes that an event lasts at least, unless it was planned to be shorter.
    """

    speed: float = 20.0
    least: int = 5
