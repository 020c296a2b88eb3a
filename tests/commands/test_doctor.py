"""`doctor`: what it finds, what it makes of what is missing or broken, and its self-test."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from humobctl.commands.doctor import doctor
from humobctl.doctor import machine, packages, smoke_test
from humobctl.extras import requirements
from humobctl.native import LIBRARY
from tests.conftest import ROOT, Cli
from tests.messages import says

# `python` reads a sitecustomize.py that it finds when it starts.
WITHOUT = """
from importlib import metadata
found = metadata.version
def version(name):
    if name in {names!r}:
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
"""


def without(folder: Path, *names: str) -> dict[str, str]:
    """An environment in which packages are not installed."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WITHOUT.format(names=names))
    return {"PYTHONPATH": str(folder)}


def test_what_is_needed_is_what_the_project_declares() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = requirements()
    core = [line.split(">=") for line in declared["dependencies"]]
    assert needed[""] == dict(core)
    assert set(needed) == {"", *declared["optional-dependencies"]}
    assert needed["nearest"] == {"faiss-cpu": "1.10"}


def test_a_healthy_machine(cli: Cli, tmp_path: Path) -> None:
    done = cli("doctor", "--format", "json", cwd=tmp_path)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["healthy"] is True
    assert told["self_test"] == []
    found = {fact["name"]: fact for fact in told["machine"]}
    assert found["compiled kernels"]["state"] == "ok"
    assert found["current folder"]["found"].startswith(str(tmp_path))
    assert found["python"]["found"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    numpy = next(part for part in told["packages"] if part["name"] == "numpy")
    assert (numpy["extra"], numpy["state"], numpy["install"]) == ("", "ok", None)
    assert list(tmp_path.iterdir()) == []


def test_missing_packages(cli: Cli, tmp_path: Path) -> None:
    env = without(tmp_path / "site", "osmium", "scipy")
    done = cli("doctor", env=env)
    assert done.code == 1
    lines = {line.split()[1]: line for line in done.out.splitlines() if line.startswith("│")}
    says(lines["osmium"], "missing")
    says(lines["scipy"], "missing")
    says(done.out, "humobctl:", "pip install")
    says(done.out, "places:", "pip install", "[places]'")
    says(done.err, "broken")
    env = without(tmp_path / "extra", "osmium")
    done = cli("doctor", "--format", "json", env=env)
    told = json.loads(done.out)
    assert (done.code, told["healthy"]) == (0, True)
    osmium = next(part for part in told["packages"] if part["name"] == "osmium")
    assert osmium["version"] is None
    says(osmium["install"], "pip install", "[places]'")


@pytest.mark.parametrize(
    ("version", "least", "ok"),
    [("2.0", "2.0", True), ("1.26.4", "2.0", False), ("2.13.0+cpu", "2.6", True), ("3", "", True)],
)
def test_old_versions(version: str, least: str, ok: bool) -> None:
    part = packages.Package("", "numpy", version, least)
    assert part.ok is ok
    if not ok:
        says(part.state, "too old", 2.0)


def test_the_self_test_without_torch(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = metadata.version

    def version(name: str) -> str:
        if name == "torch":
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(metadata, "version", version)
    steps = (smoke_test.STEPS[0], *(step for step in smoke_test.STEPS if step.extra))
    monkeypatch.setattr(smoke_test, "STEPS", steps)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    done = cli("doctor", "--self-test", "--format", "json")
    assert done.code == 0, done.out + done.err
    first, *outcomes = json.loads(done.out)["self_test"]
    assert (first["step"], first["state"]) == ("score by hand", "ok")
    assert [(outcome["step"], outcome["state"]) for outcome in outcomes] == [
        ("train bert-moe", "skipped"),
        ("predict with bert-moe", "skipped"),
    ]
    says(outcomes[-1]["detail"], "torch: missing", "'torch'")
    assert not list(tmp_path.iterdir())


def test_every_step_comes_to_what_is_expected(
    cli: Cli, warm_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process and its forks; that steps are processes of their own is tested below."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")

    def run(command: list[str], *, cwd: Path, **_: object) -> SimpleNamespace:
        done = (warm_cli if "cpu" in command else cli)(*command[3:], cwd=cwd)
        return SimpleNamespace(returncode=done.code, stdout=done.out, stderr=done.err)

    monkeypatch.setattr(smoke_test.subprocess, "run", run)
    outcomes = list(smoke_test.run(tmp_path, packages.parts()))
    assert [(outcome.step, outcome.state) for outcome in outcomes] == [
        (step.name, "ok") for step in smoke_test.STEPS
    ], outcomes


def test_broken_kernels(process_cli: Cli, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(LIBRARY.parent.parent, tmp_path / "humobctl", ignore=ignored)
    (tmp_path / "humobctl" / "kernels" / LIBRARY.name).write_bytes(b"no library")
    done = process_cli("doctor", "--format", "json", cwd=tmp_path)
    assert done.code == 1
    told = json.loads(done.out)
    assert told["healthy"] is False
    kernels = next(fact for fact in told["machine"] if fact["name"] == "compiled kernels")
    says(kernels["state"], "compiled kernels", "reinstall", "pip install")


def test_how_steps_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(_: Path, __: str) -> str:
        raise smoke_test.UnexpectedError("rows: found 3, expected 4")

    def step(words: tuple[str, ...], check: object = None) -> smoke_test.StepOutcome:
        wanted = smoke_test.SmokeStep("a step", words, check or (lambda folder, said: said.strip()))  # type: ignore[arg-type]
        monkeypatch.setattr(smoke_test, "STEPS", (wanted,))
        (outcome,) = smoke_test.run(tmp_path, [])
        return outcome

    assert step(("--version",)).state == "ok"
    missing = step(("data", "describe", "none.csv"))
    assert missing.state == "failed"
    says(missing.detail, "none.csv", "no such file")
    says(step(("--version",), unexpected).detail, "rows", 3, 4)
    unread = step(("--version",), smoke_test._scores(smoke_test.BY_HAND))
    assert unread.state == "failed"
    says(unread.detail, "output", "cannot be read")
    monkeypatch.setattr(smoke_test, "STEP_SECONDS", 0.01)
    says(step(("--version",)).detail, 0.01)
    says(smoke_test._why(-4, ""), "SIGILL")
    says(smoke_test._why(3, " \n"), "exit code 3")


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.folder("cache", tmp_path / "to" / "be" / "made").state == "ok"
    assert list(tmp_path.iterdir()) == []
    if Path("/proc/self").exists():
        refused = machine.folder("temporary files", Path("/proc/self"), core=True)
        says(refused.state, "cannot be written")
        assert refused.broken
        assert not machine.folder("cache", Path("/proc/self")).broken
    assert machine.folder("temporary files", None, core=True).broken
    full = SimpleNamespace(free=machine.GIB // 4)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: full)
    little = machine.folder("temporary files", tmp_path, core=True)
    assert not little.broken
    says(little.state, "little room", "0.2 GiB")


def test_where_the_hub_keeps_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert machine.hub_cache() == Path("~/.cache/huggingface/hub").expanduser()
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert machine.hub_cache() == tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "models"))
    assert machine.hub_cache() == tmp_path / "models"


def test_processor_and_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("model name\t: Some CPU\nflags\t\t: fpu avx avx512_bf16\n")
    (tmp_path / "meminfo").write_text("MemTotal: 8388608 kB\nMemAvailable: 6291456 kB\n")
    monkeypatch.setattr(machine, "_PROC", tmp_path)
    monkeypatch.setattr(machine, "_LIMITS", (str(tmp_path / "limit"),))
    assert machine.processor() == "Some CPU"
    assert machine.vectors() == "avx avx512_bf16"
    assert machine.memory() == "6.0 of 8.0 GiB free"
    (tmp_path / "limit").write_text("max\n")
    assert machine.memory() == "6.0 of 8.0 GiB free"
    (tmp_path / "limit").write_text(f"{2 * machine.GIB}\n")
    assert machine.memory() == "2.0 of 2.0 GiB free"


def test_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_PROC", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [fact.found for fact in machine.gpus()] == ["none"]
    (tmp_path / "driver" / "nvidia").mkdir(parents=True)
    (tmp_path / "driver" / "nvidia" / "version").touch()
    monkeypatch.setattr(machine, "installed_version", lambda _: None)
    (unused,) = machine.gpus()
    says(unused.state, "not used", "pip install", "[torch]'")
    monkeypatch.setattr(machine, "installed_version", lambda _: "2.13.0")
    cuda = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_name=lambda _: "Some GPU",
        mem_get_info=lambda _: (3 * machine.GIB, 4 * machine.GIB),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    (found,) = machine.gpus()
    assert found.name == "GPU 0"
    says(found.found, "Some GPU", "3.0 of 4.0 GiB")
    cuda.is_available = lambda: False
    says(next(machine.gpus()).state, "torch 2.13.0", "no CUDA device")
    monkeypatch.setitem(sys.modules, "torch", None)
    says(next(machine.gpus()).state, "torch 2.13.0", "cannot use it")


def test_a_step_that_fails_is_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = smoke_test.SmokeStep("describe", ("data", "describe", "none.csv"), lambda *_: "")
    monkeypatch.setattr(smoke_test, "STEPS", (missing,))
    with pytest.raises(typer.Exit) as ended:
        doctor(self_test=True, format="table")
    assert ended.value.exit_code == 1
    told = capsys.readouterr()
    says(told.out, "none.csv", "no such file")
    says(told.err, "broken")
