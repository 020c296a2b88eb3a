"""The same seed gives the same output: whatever threads, sizes of parts and batches.

Engines are compared in tests/engine/test_rays.py, kills in tests/engine/test_kill.py, batches of
networks in the tests of each model.
"""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from tests.engine.conftest import DIFFUSION, EMBED, FREE, GRAVITY, INTEND, PREDICT

pytest_plugins: list[str] = []

EXACT = {
    "synth": ("data", "synth", "--users", "9", "--days", "5"),
    "predict day": PREDICT,
    "predict sample": (*PREDICT, "--decode", "sample", "--model", "markov"),
    "intend": INTEND,
    "gravity": GRAVITY,
}
ONE = {"HUMOBCTL_THREADS": "1", "POLARS_MAX_THREADS": "1"}
MANY = {"HUMOBCTL_THREADS": "3", "POLARS_MAX_THREADS": "3"}
CUT = {**MANY, "HUMOBCTL_PART_ROWS": "211", "HUMOBCTL_PART_USERS": "7"}


@pytest.mark.parametrize("name", EXACT)
def test_a_seed_is_an_output(cli, example_files, name) -> None:
    command = (*EXACT[name], "--seed", "5")
    one, cut = (cli(*command, cwd=example_files, env=env) for env in (ONE, CUT))
    assert (one.code, cut.code) == (0, 0), one.err + cut.err
    assert one.out == cut.out
    assert one.err == cut.err
    if name in ("synth", "predict sample", "intend", "gravity"):
        other = cli(*EXACT[name], "--seed", "6", cwd=example_files, env=ONE)
        assert other.out != one.out
