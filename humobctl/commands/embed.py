"""``humobctl embed``: trajectories to vectors, their principal components and neighbours."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.embed)
def embed(**options: Any) -> None:
    """Embed users as 512-dimensional vectors with a trained embedder.

    Writes uid, embedding and city, from all records that are not masked. Vectors have length 1, so
    their dot product is the cosine similarity. Users are batched by length and written as they are
    done; --pca, npy and safetensors collect all vectors first (2 KB per user). A table of
    embeddings as INPUT needs no model: use it with --pca, --nearest or another --format.

    Example: humobctl embed city.csv --model embedder --output users.parquet

    Example: humobctl embed embeddings.parquet --pca 2 | head -3

    Example: humobctl embed embeddings.parquet --nearest 7 -k 5

    Example: humobctl embed embeddings.parquet --output vectors.npy

    Example: humobctl embed city.csv challenge.csv --place-free --nearest all -k 1
    """
    hm.embed(**options)
