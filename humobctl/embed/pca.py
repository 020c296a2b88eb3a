"""Principal components of vectors."""

from __future__ import annotations

import numpy as np

from humobctl.embed.vectors import Vectors
from humobctl.errors import UsageError
from humobctl.native import Floats


def components(vectors: Vectors, count: int) -> tuple[Vectors, Floats]:
    """Coordinates along the axes of most variance, and the share of the variance on each.

    The axes are eigenvectors of the covariance, whose size does not depend on the users; of each,
    the largest coordinate is positive.

    Args:
        vectors: (n, E).
        count: of axes.

    Returns:
        (n, count) and (count,).

    Raises:
        UsageError: more axes than users or numbers.
    """
    most = min(len(vectors), vectors.shape[1])
    if not 1 <= count <= most:
        raise UsageError(f"--pca: found {count}, expected 1 to {most}")
    centred = vectors - vectors.mean(axis=0, dtype=np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred)
    values, axes = values[::-1][:count], axes[:, ::-1][:, :count]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(count)])
    total = max(float((centred**2).sum()), 1e-300)
    return (centred @ axes).astype(np.float32), np.maximum(values, 0) / total
