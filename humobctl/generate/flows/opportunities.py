"""Laws of opportunities: what matters is not how far a place is, but how much lies nearer.

**Radiation** (Simini et al., Nature 484, 2012): people stop at the first opportunity that is better
than those at home. With masses m and intervening opportunities s_ij (``region.between``)::

    p_ij = m_i m_j / ((m_i + s_ij) (m_i + m_j + s_ij)) / (1 - m_i / M)

The last factor is that of a region that ends somewhere (Masucci et al., Physical Review E 88, 2013,
022812): what stands before it sums to 1 - m_i / M. The **extended** law (Yang et al., Scientific
Reports 4, 2014, 5662) has a parameter for the scale; with alpha 1 and large masses it is the first
one. Its chances are divided by their sum::

    p_ij ~ ((m_i + m_j + s_ij)^a - (m_i + s_ij)^a) (m_i^a + 1)
           / (((m_i + s_ij)^a + 1) ((m_i + m_j + s_ij)^a + 1))

**Intervening opportunities** (Schneider, Papers in Regional Science 5, 1959; as Lenormand et al.,
Journal of Transport Geography 51, 2016, write it): each opportunity on the way out is taken with
the chance gamma::

    p_ij ~ exp(-gamma s_ij) - exp(-gamma (s_ij + m_j))

Areas that are equally far share what the law gives to their masses together.

To add a law: a function of the same arguments, and its entry in ``OPPORTUNITY_LAWS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from humobctl.generate.flows.areas import OriginBlock, between
from humobctl.native import Floats


def radiation(origin: Floats, destination: Floats, nearer: Floats) -> Floats:
    """Chances up to a factor for each origin, shape (b, n).

    Args:
        origin: masses of the origins, above 0, shape (b,).
        destination: masses of all areas, each with those equally far, shape (b, n).
        nearer: intervening opportunities, shape (b, n).
    """
    home = origin[:, None]
    result: Floats = home * destination / ((home + nearer) * (home + nearer + destination))
    return result


def extended_radiation(origin: Floats, destination: Floats, nearer: Floats, alpha: float) -> Floats:
    """Chances up to a factor for each origin, shape (b, n); arguments as of ``radiation``."""
    inner = origin[:, None] + nearer
    within, beyond = inner**alpha, (inner + destination) ** alpha
    result: Floats = (beyond - within) / ((within + 1.0) * (beyond + 1.0))
    return result


def opportunities(origin: Floats, destination: Floats, nearer: Floats, gamma: float) -> Floats:
    """Chances up to a factor for each origin, shape (b, n); arguments as of ``radiation``."""
    # Relative to the nearest opportunities, so that no origin has zeros alone.
    start = np.where(destination > 0, nearer, np.inf).min(axis=1, keepdims=True)
    result: Floats = np.exp(-gamma * (nearer - start)) * -np.expm1(-gamma * destination)
    return result


@dataclass(frozen=True)
class OpportunityLaw:
    """A law of opportunities, and where its parameter is looked for.

    Attributes:
        chances: of masses, intervening opportunities and the parameter, as ``radiation``.
        parameters: one at most, by its name: its value without a fit; None where only flows tell.
        bounds: between which a fit looks.
        by_mass: the bounds are divided by the mass of all areas.
    """

    chances: Callable[..., Floats]
    parameters: dict[str, float | None] = field(default_factory=dict)
    bounds: tuple[float, float] = (0.01, 10.0)
    by_mass: bool = False


OPPORTUNITY_LAWS = {
    "radiation": OpportunityLaw(radiation),
    "extended-radiation": OpportunityLaw(extended_radiation, {"alpha": 1.0}),
    # A gamma of 1 / M spreads trips over the whole region; ten thousand times that keeps them near.
    "opportunities": OpportunityLaw(
        opportunities, {"gamma": None}, bounds=(0.01, 1e4), by_mass=True
    ),
}
"""Name -> law."""


def opportunity_weights(
    law: OpportunityLaw,
    origin: Floats,
    destination: Floats,
    block: OriginBlock,
    parameters: dict[str, float],
) -> Floats:
    """Chances of the pairs of a block up to a factor for each origin, shape (b, n).

    Those of an area to itself, or to one without mass, mean nothing.

    Args:
        law: one of ``OPPORTUNITY_LAWS``.
        origin: masses of all areas as origins, above 0, shape (n,).
        destination: masses of all areas as destinations, shape (n,).
        block: pairs of areas.
        parameters: of the law.
    """
    nearer, together = between(block.km, destination, block.rows)
    result = law.chances(origin[block.rows], together, nearer, **parameters)
    result *= destination / np.where(together > 0, together, 1.0)
    return result
