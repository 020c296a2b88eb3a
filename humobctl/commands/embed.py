"""``humobctl embed``: trajectories to vectors, their principal components and neighbours."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.embed)
def embed(**options: Any) -> None:
    """Embed users: 512 numbers for each, from all their rows that are not masked.

    Writes uid, embedding and city. Vectors have length 1, so that their product is the cosine.
    Users are put together by length, and groups of them are written as they are done; --pca, npy
    and safetensors gather all vectors first (2 KB a user). A table of embeddings as INPUT needs no
    model: with --pca, --nearest or another --format it is worked on as it is.

    Example: humobctl embed city.csv --model embedder --output users.parquet

    Example: humobctl embed embeddings.parquet --pca 2 | head -3

    Example: humobctl embed embeddings.parquet --nearest 7 -k 5

    Example: humobctl embed embeddings.parquet --output vectors.npy
    """
    hm.embed(**options)
