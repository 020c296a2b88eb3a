"""The gravity law: flows rise with the masses of two areas and fall with their distance.

Zipf (American Sociological Review 11, 1946) and Wilson (Environment and Planning A 3, 1971), in the
notation of Barbosa et al. (Physics Reports 734, 2018)::

    T_ij = O_i  m_j^b f(d_ij) / sum_k m_k^b f(d_ik)        constraint "origin" (singly constrained)
    T_ij = K  m_i^a m_j^b f(d_ij)                          constraint "none"
    the same, scaled so that all T_ij sum to all O_i       constraint "total" (globally constrained)

    f(d) = d^-g  (power),  exp(-l d)  (exponential),  d^-g exp(-l d)  (combined: Tanner, 1961)

The logarithm of a flow is linear in the parameters, so they are fitted as a Poisson regression
(Flowerdew and Murray, Journal of Regional Science 22, 1982); with the origins' outflows kept this
is a multinomial logit over destinations. With mass "attraction", ``m_j^b`` is ``u_j p_j^b``, the
population times an attraction of the area; see ``fit.py``.
"""

from __future__ import annotations

import numpy as np

from humobctl.generate.flows.areas import OriginBlock
from humobctl.generate.flows.config import FlowLaw
from humobctl.native import Floats


def features(law: FlowLaw, block: OriginBlock, origin: Floats, destination: Floats) -> Floats:
    """What the parameters ``law.wanted`` are multiplied with, shape (parameters, b, n).

    Args:
        law: which gravity law.
        block: pairs of areas.
        origin: masses of the block's origins, above 0, shape (b,).
        destination: masses of all areas, shape (n,); of those without mass, anything.
    """
    shape = block.km.shape
    heavy = np.where(destination > 0, destination, 1.0)
    columns: dict[str, Floats] = {
        "log_scale": np.ones(shape),
        "origin_exponent": np.broadcast_to(np.log(origin)[:, None], shape),
        "destination_exponent": np.broadcast_to(np.log(heavy), shape),
        "distance_exponent": -np.log(block.km),
        "decay_per_km": -block.km,
    }
    return np.stack([columns[name] for name in law.wanted])


def log_weights(law: FlowLaw, block: OriginBlock, origin: Floats, destination: Floats) -> Floats:
    """Logarithms of the weights of all pairs of a block, without attractions, shape (b, n)."""
    theta = np.array([law.parameters[name] for name in law.wanted])
    result: Floats = np.tensordot(theta, features(law, block, origin, destination), axes=1)
    return result
