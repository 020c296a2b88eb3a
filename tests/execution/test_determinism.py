"""The same seed gives the same output: whatever threads, sizes of parts and batches.

Engines are compared in test_rays.py, kills in test_kill.py.
"""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from tests.execution.conftest import DIFFUSION, EMBED, FREE, GRAVITY, INTEND, PREDICT, STAYS

EXACT = {
    "synth": ("data", "synth", "--users", "9", "--days", "5"),
    "predict day": PREDICT,
    "predict sample": (*PREDICT, "--decode", "sample", "--model", "markov"),
    "intend": INTEND,
    "gravity": GRAVITY,
}
ONE = {"HUMOBCTL_THREADS": "1", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
MANY = {"HUMOBCTL_THREADS": "3", "OMP_NUM_THREADS": "3", "POLARS_MAX_THREADS": "3"}
CUT = {"HUMOBCTL_PART_ROWS": "211", "HUMOBCTL_PART_USERS": "7"}


@pytest.mark.parametrize("name", EXACT)
def test_a_seed_is_an_output(warm_cli, example_files, name) -> None:
    command = (*EXACT[name], "--seed", "5")
    one, cut = (warm_cli(*command, cwd=example_files, env=env) for env in (ONE, {**MANY, **CUT}))
    assert (one.code, cut.code) == (0, 0), one.err + cut.err
    assert one.out == cut.out
    assert one.err == cut.err
    if name != "predict day":  # which draws nothing
        other = warm_cli(*EXACT[name], "--seed", "6", cwd=example_files, env=ONE)
        assert other.out != one.out


def test_stays_and_trips_do_not_hang_on_threads_or_parts(warm_cli, workdir) -> None:
    files = ("--trips", "trips.csv", "--home-work", "pairs.csv", "--locations", "places.csv")
    found = []
    for env in (ONE, {**MANY, "HUMOBCTL_PART_ROWS": "100"}):
        done = warm_cli(*STAYS, *files, cwd=workdir, env=env)
        assert done.code == 0, done.err
        found.append([done.out, done.err, *((workdir / name).read_text() for name in files[1::2])])
    assert found[0] == found[1]
    assert len(found[0][0].splitlines()) > 6


@pytest.mark.parametrize("command", [DIFFUSION, FREE], ids=["plans", "free"])
def test_drawn_days_do_not_hang_on_threads_parts_or_batches(warm_cli, models, command) -> None:
    small = (*command[:-1], "3") if "--batch-size" in command else (*command, "--batch-size", "3")
    runs = ((command, ONE), (command, {**MANY, **CUT}), (small, ONE))
    found = [warm_cli(*arguments, cwd=models, env=env) for arguments, env in runs]
    assert [run.code for run in found] == [0, 0, 0], found[0].err
    first, *others = (pl.read_csv(run.raw) for run in found)
    for other in others:
        # A padded batch may differ in the last bit of a float32: a micro-degree, once rounded.
        assert other.drop("lat", "lon").equals(first.drop("lat", "lon"))
        for name in ("lat", "lon"):
            assert np.abs((other[name] - first[name]).to_numpy()).max() <= 2e-6
    assert found[1].err == found[0].err


def test_vectors_do_not_hang_on_threads_parts_or_batches(warm_cli, models) -> None:
    command = (*EMBED, "--format", "parquet")
    runs = (
        (command, ONE),
        (command, MANY),
        (command, CUT),
        ((*command, "--batch-rows", "64"), ONE),
    )
    found = [warm_cli(*arguments, cwd=models, env=env) for arguments, env in runs]
    assert [run.code for run in found] == [0, 0, 0, 0], found[0].err
    one, many, cut, small = (
        pl.read_parquet(io.BytesIO(run.raw))["embedding"].to_numpy() for run in found
    )
    for other in (many, cut, small):
        np.testing.assert_array_equal(other, one)
