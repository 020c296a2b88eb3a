"""What --engine ray refuses, without any cluster."""

from __future__ import annotations

import pytest

from humobctl.errors import HumobError
from humobctl.execution import ray_cluster
from humobctl.execution.ray_cluster import Cluster
from humobctl.execution.task import TaskPart


def test_without_ray_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _name: None)
    with pytest.raises(HumobError, match=r"found no ray.*pip install 'humobctl\[ray\]'"):
        list(Cluster().run(None, [TaskPart(0, 0, "")], print, in_order=True))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--address", "127.0.0.1:9"), 1, "--address: found no Ray cluster at 127.0.0.1:9"),
        (("--address", "somewhere"), 2, "--address: found 'somewhere', expected HOST:PORT"),
        (("--address", "ray://a:1"), 2, "--address: found 'ray://a:1', expected HOST:PORT"),
        (("--base-url", "http://127.0.0.1:9/v1"), 2, "--engine ray: found --base-url"),
    ],
)
def test_what_makes_no_sense_is_one_line(cli, example_files, options, code, message) -> None:
    pytest.importorskip("ray")
    done = cli("predict", "challenge.csv", "--engine", "ray", *options, cwd=example_files)
    assert (done.code, done.out) == (code, "")
    assert done.err.count("\n") == 1
    assert message in done.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--backend", "hf", "--engine", "ray"), "--engine ray: found --backend hf, expected pl"),
        (("--backend", "hf", "--resume", "-o", "p.csv"), "--resume: found --backend hf"),
        (("--backend", "openai", "-o", "folder/"), "--output: found a folder, expected a file"),
        (("--distill", "r.jsonl", "--engine", "ray"), "--engine ray: found --distill"),
    ],
)
def test_only_the_planner_works_in_parts(cli, example_files, options, message) -> None:
    done = cli("intend", "population.csv", *options, cwd=example_files)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
