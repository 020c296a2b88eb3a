"""What --engine ray refuses, without any cluster."""

from __future__ import annotations

import pytest

from humobctl import extras
from humobctl.errors import HumobError
from humobctl.execution.ray_cluster import Cluster
from humobctl.execution.task import TaskPart
from tests.messages import fails, raises


def test_without_ray_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setattr(extras, "installed_version", lambda _name: None)
    with raises(HumobError, "--engine ray", "'ray'", "pip install"):
        list(Cluster().run(None, [TaskPart(0, 0, "")], print, in_order=True))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "code", "names"),
    [
        (("--address", "127.0.0.1:9"), 1, ("--address", "127.0.0.1:9")),
        (("--address", "somewhere"), 2, ("--address", "'somewhere'", "HOST:PORT")),
        (("--address", "ray://a:1"), 2, ("--address", "'ray://a:1'", "HOST:PORT")),
        (("--base-url", "http://127.0.0.1:9/v1"), 2, ("--engine ray", "--base-url")),
    ],
)
def test_what_makes_no_sense_is_one_line(cli, example_files, options, code, names) -> None:
    pytest.importorskip("ray")
    done = cli("predict", "challenge.csv", "--engine", "ray", *options, cwd=example_files)
    assert done.out == ""
    fails(done, *names, code=code)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--backend", "hf", "--engine", "ray"), ("--engine ray", "--backend hf", "planner")),
        (("--backend", "hf", "--resume", "-o", "p.csv"), ("--resume", "--backend hf")),
        (("--backend", "openai", "-o", "folder/"), ("--output", "found a folder", "file")),
        (("--distill", "r.jsonl", "--engine", "ray"), ("--engine ray", "--distill")),
    ],
)
def test_only_the_planner_works_in_parts(cli, example_files, options, names) -> None:
    done = cli("intend", "population.csv", *options, cwd=example_files)
    assert done.out == ""
    fails(done, *names, code=2)
