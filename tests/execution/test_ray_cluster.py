"""--engine ray gives the bytes of --engine local, on two nodes, whoever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ONE_THREAD, Cli, Run, environment, run_cli
from tests.execution.conftest import (
    DIFFUSION,
    EMBED,
    EVAL,
    FEW,
    GRAVITY,
    INTEND,
    PREDICT,
    SMALL,
    STAYS,
)
from tests.messages import fails, says

pytest.importorskip("ray")

SERVE = """
import json, os, sys
from ray.cluster_utils import Cluster
node = {"num_cpus": 1, "include_log_monitor": False}
head = {**node, "include_dashboard": False, "no_monitor": True}
cluster = Cluster(initialize_head=True, head_node_args=head)
cluster.add_node(**node)
print(json.dumps(cluster.address), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster of two nodes in a process of its own: the environment of who joins it."""
    variables = {
        **{"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
        **{"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64, "POLARS_MAX_THREADS": "1"},
        # No workers in reserve: each takes seconds of a core to begin.
        **{"RAY_enable_worker_prestart": "0", "RAY_prestart_worker_first_driver": "0"},
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(**variables),
        cwd=tmp_path_factory.mktemp("cluster"),
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    address = process.stdout.readline()
    assert address, "no cluster"
    yield {**variables, "address": json.loads(address)}
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


@pytest.fixture
def on_cluster(cluster: dict[str, str], warm_cli: Cli) -> Cli:
    """Like ``warm_cli``, with the work on the cluster."""
    variables = {name: value for name, value in cluster.items() if name != "address"}
    ray = ("--engine", "ray", "--address", cluster["address"])

    def run(*arguments: str | Path, cwd: Path, env: dict[str, str]) -> Run:
        return warm_cli(*arguments, *ray, cwd=cwd, env={**variables, **env})

    return run


def workers() -> list[int]:
    """Processes of our actors."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            title = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if title.startswith(b"ray::_Worker"):
            found.append(int(entry.name))
    return found


@pytest.mark.parametrize(
    ("command", "most", "env"),
    [
        (PREDICT, "9", SMALL),  # there is room for two: the others are not waited for
        (INTEND, "1", FEW),
        (GRAVITY, "1", FEW),
        (EVAL, "1", SMALL),
        (STAYS, "1", {"HUMOBCTL_PART_ROWS": "100"}),
    ],
    ids=["predict", "intend", "gravity", "eval", "stays"],
)
def test_the_bytes_are_those_of_the_local_engine(
    on_cluster, example_files, command, most, env
) -> None:
    local = run_cli(*command, cwd=example_files, env=env)
    ray = on_cluster(*command, "--workers", most, cwd=example_files, env=env)
    assert (local.code, ray.code) == (0, 0), local.err + ray.err
    assert ray.raw == local.raw
    assert ray.err == local.err


@pytest.mark.parametrize(
    ("command", "env"),
    [(EMBED, SMALL), (DIFFUSION, FEW)],
    ids=["embed", "diffusion"],
)
def test_models_give_the_same_too(on_cluster, models, warm_cli, command, env) -> None:
    local = warm_cli(*command, cwd=models, env=env)
    ray = on_cluster(*command, "--workers", "1", cwd=models, env=env)  # one loads it
    assert (local.code, ray.code) == (0, 0), local.err + ray.err
    assert ray.raw == local.raw
    assert ray.err == local.err


def test_a_worker_that_is_killed_costs_time_only(on_cluster, example_files, tmp_path) -> None:
    command = (*PREDICT, "--verbose", "--output")
    local = run_cli(*PREDICT, "--output", tmp_path / "local.parquet", cwd=example_files, env=SMALL)
    assert local.code == 0, local.err
    killed: list[int] = []
    output = tmp_path / "ray.parquet"

    def kill() -> None:
        """The first worker that is there once a part is done."""
        end = time.monotonic() + 120
        while not killed and time.monotonic() < end:
            found = workers() if list(Path(f"{output}.parts").glob("part-*")) else []
            if found:
                os.kill(found[0], signal.SIGKILL)
                killed.append(found[0])
            time.sleep(0.005)

    hunter = threading.Thread(target=kill)
    hunter.start()
    ray = on_cluster(*command, output, cwd=example_files, env=SMALL)
    hunter.join()
    assert ray.code == 0, ray.err
    assert killed
    says(ray.err, "worker", "retrying")
    assert ray.out == ""
    assert output.read_bytes() == (tmp_path / "local.parquet").read_bytes()
    assert not Path(f"{output}.parts").exists()


def test_an_error_in_a_worker_reads_as_it_does_here(on_cluster, example_files) -> None:
    command = ("eval", "challenge.csv", "--truth", "city.csv")
    local = run_cli(*command, cwd=example_files, env=SMALL)
    ray = on_cluster(*command, "--workers", "1", cwd=example_files, env=SMALL)
    fails(local, "challenge.csv")
    assert ray.code == 1
    assert (ray.err, ray.out) == (local.err, "")


def test_a_cluster_of_its_own_leaves_nothing(example_files, tmp_path) -> None:
    """Started for one run, on loopback, without a trace on standard output or in the home."""
    short = Path(tempfile.mkdtemp(prefix="h", dir="/tmp"))
    (tmp_path / "home").mkdir()
    env = {**ONE_THREAD, "HOME": str(tmp_path / "home"), "TMPDIR": str(short)}
    local = run_cli(*INTEND, cwd=example_files, env=FEW)
    flags = ("--engine", "ray", "--workers", "1")
    ray = run_cli(*INTEND, *flags, cwd=example_files, env={**env, **FEW})
    assert (ray.code, ray.err) == (0, "")
    assert ray.raw == local.raw
    assert list((tmp_path / "home").iterdir()) == []
    short.rmdir()  # it is empty
