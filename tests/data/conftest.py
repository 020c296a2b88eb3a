"""Fixtures of the data layer's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., str]:
    """Write bytes or text to a file in the test's folder; its path."""

    def write(content: str | bytes, name: str = "a.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write
