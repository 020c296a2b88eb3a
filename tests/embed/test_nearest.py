"""Neighbours by the index against all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.embed.nearest import exact, normalize_rows, search_index


def test_exact_by_hand() -> None:
    vectors = normalize_rows(np.array([[1, 0], [2, 0], [0, 1], [1, 1]], np.float32))
    rows, cosines = exact(vectors, np.array([0, 3]), 2)
    assert rows.tolist() == [[1, 3], [0, 1]]
    np.testing.assert_allclose(cosines, [[1, 0.5**0.5], [0.5**0.5] * 2], rtol=1e-6)


def test_the_index_finds_nearly_all() -> None:
    pytest.importorskip("faiss", reason="needs humobctl[nearest]")
    random = np.random.default_rng(0)
    middles = random.normal(size=(40, 16))
    vectors = normalize_rows(
        (middles[random.integers(0, 40, 2000)] + random.normal(size=(2000, 16))).astype(np.float32)
    )
    queries = np.arange(2000)
    found, cosines = search_index(vectors, queries, 10)
    right, best = exact(vectors, queries, 10)
    assert not (found == queries[:, None]).any()
    shared = np.mean([len(set(a) & set(b)) for a, b in zip(found, right, strict=True)]) / 10
    assert shared > 0.95
    assert (np.diff(cosines, axis=1) <= 1e-6).all()
    assert (cosines <= best + 1e-5).all()
