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
"""

from __future__ import annotations

import numpy as np

from humobctl.native import Floats


def radiation(origin: Floats, destination: Floats, nearer: Floats) -> Floats:
    """Chances up to a factor for each origin, shape (b, n).

    Args:
        origin: masses of the origins, above 0, shape (b,).
        destination: masses of all areas, shape (n,).
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


def opportunities(destination: Floats, nearer: Floats, gamma: float) -> Floats:
    """Chances up to a factor for each origin, shape (b, n); arguments as of ``radiation``."""
    # Relative to the nearest opportunities, so that no origin has zeros alone.
    start = np.where(destination > 0, nearer, np.inf).min(axis=1, keepdims=True)
    result: Floats = np.exp(-gamma * (nearer - start)) * -np.expm1(-gamma * destination)
    return result
