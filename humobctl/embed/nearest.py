"""Similar users by the cosine of their vectors: exact, or by an index above a size."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.embed.vectors import UserEmbeddings, Vectors
from humobctl.extras import install_command
from humobctl.native import Floats, Int64s

EXACT_USERS = 50_000
"""Number of users up to which the neighbours of all are found by comparing all pairs."""
_BLOCK = 1024
_LINKS, _CONSTRUCTION, _SEARCH = 32, 80, 128


def normalize_rows(vectors: Vectors) -> Vectors:
    """Vectors of length 1; those of length 0 stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return scaled


def exact(vectors: Vectors, queries: Int64s, k: int) -> tuple[Int64s, Floats]:
    """The k users with the highest cosine to each of some users, themselves left out.

    Args:
        vectors: of length 1, (n, E).
        queries: rows of the users, (q,).
        k: how many; below n.

    Returns:
        Rows and cosines, (q, k) each, best first, the lower row first where they are equal.
    """
    rows, cosines = [], []
    for begin in range(0, len(queries), _BLOCK):
        block = queries[begin : begin + _BLOCK]
        alike = (vectors[block] @ vectors.T).astype(np.float64)
        alike[np.arange(len(block)), block] = -np.inf
        best = np.argpartition(-alike, k - 1, axis=1)[:, :k]
        best.sort(axis=1)
        found = np.take_along_axis(alike, best, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        rows.append(np.take_along_axis(best, order, axis=1))
        cosines.append(np.take_along_axis(found, order, axis=1))
    return np.concatenate(rows).astype(np.int64), np.concatenate(cosines)


def search_index(vectors: Vectors, queries: Int64s, k: int) -> tuple[Int64s, Floats]:
    """Neighbours by faiss's HNSW index: a neighbour may be missed.

    Malkov and Yashunin (2018), arXiv 1603.09320; 32 links, 128 candidates in a search.
    """
    import faiss  # noqa: PLC0415 - an extra

    index = faiss.IndexHNSWFlat(vectors.shape[1], _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = _CONSTRUCTION, max(_SEARCH, 2 * k)
    index.add(np.ascontiguousarray(vectors))
    cosines, rows = index.search(np.ascontiguousarray(vectors[queries]), k + 1)
    # The user is there, too, as a rule in the first place; among copies of it, anywhere.
    other = rows != queries[:, None]
    keep = other & (np.cumsum(other, axis=1) <= k)
    keep[keep.sum(axis=1) < k, :k] = True
    kept = keep.nonzero()
    shape = (len(queries), k)
    return rows[kept].reshape(shape).astype(np.int64), cosines[kept].reshape(shape).astype(float)


def nearest(found: UserEmbeddings, queries: Int64s, k: int) -> pl.DataFrame:
    """Neighbours as a table: uid, city, rank, neighbour, neighbour_city, cosine.

    All pairs are compared where few users are asked for or there are few; otherwise the index of
    the extra ``nearest`` is used where it is installed.
    """
    k = min(k, len(found) - 1)
    vectors = normalize_rows(found.vectors)
    many = len(queries) > _BLOCK and len(found) > EXACT_USERS
    if many and find_spec("faiss") is None:
        command = install_command("nearest")
        report.warn(
            f"comparing all pairs, which is slow; the extra 'nearest' adds an index: {command}"
        )
        many = False
    rows, cosines = (search_index if many else exact)(vectors, queries, k)
    owner = np.repeat(queries, k)
    flat = rows.ravel()
    city = found.city if found.city is not None else np.full(len(found), "", np.str_)
    return pl.DataFrame(
        {
            "uid": found.uid[owner],
            "city": city[owner].tolist(),
            "rank": np.tile(np.arange(1, k + 1), len(queries)),
            "neighbour": found.uid[flat],
            "neighbour_city": city[flat].tolist(),
            "cosine": cosines.ravel(),
        }
    )
