"""Optional extras: what is missing, and what installs it in each kind of installation."""

from __future__ import annotations

import json
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from humobctl import extras
from humobctl.errors import HumobError
from tests.conftest import Cli
from tests.messages import fails, raises

METADATA = """Metadata-Version: 2.4
Name: humobctl
Version: 0.1.0
Requires-Dist: numpy>=2.0
Requires-Dist: torch>=2.6; extra == 'torch'
Requires-Dist: transformers>=5; extra == 'torch'
Requires-Dist: osmium>=4.1; extra == 'places'
Requires-Dist: ijson; extra == 'places'
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Installation:
    """A copy of humobctl, and the machine around it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.scripts, self.patch = folder / "bin", patch
        self.info = folder / "humobctl-0.1.0.dist-info"
        for made in (self.scripts, self.info):
            made.mkdir()
        (self.info / "METADATA").write_text(METADATA)
        self.program("pip")
        patch.setattr(extras, "_distribution", lambda: metadata.PathDistribution(self.info))
        patch.setattr(extras.sysconfig, "get_path", lambda _: str(self.scripts))
        patch.setattr(extras, "has_nvidia_driver", lambda *_: False)
        patch.setenv("PATH", str(self.scripts))
        patch.delenv("VIRTUAL_ENV", raising=False)

    def program(self, name: str) -> None:
        (self.scripts / name).write_text("#!/bin/sh\n")
        (self.scripts / name).chmod(0o755)

    def source(self, **direct: Any) -> None:
        (self.info / "direct_url.json").write_text(json.dumps(direct))


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    return Installation(tmp_path, monkeypatch)


def checkout(folder: Path) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / "constraints-cpu.txt").touch()
    return folder


def test_an_editable_checkout(copy: Installation, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "my code")
    copy.source(url=folder.as_uri(), dir_info={"editable": True})
    assert extras.install_command("places") == f"pip install -e '{folder}[places]'"
    pinned = f"pip install -c '{folder}/constraints-cpu.txt' -e '{folder}[torch]'"
    assert extras.install_command("torch") == pinned
    copy.patch.setattr(extras, "has_nvidia_driver", lambda *_: True)
    assert extras.install_command("torch") == f"pip install -e '{folder}[torch]'"
    again = f"pip install --force-reinstall --no-deps -e '{folder}'"
    assert extras.reinstall_command() == again


def test_a_folder(copy: Installation, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "code")
    copy.source(url=folder.as_uri(), dir_info={})
    assert extras.install_command("places") == f"pip install '{folder}[places]'"
    (folder / "constraints-cpu.txt").unlink()
    assert extras.install_command("torch") == f"pip install '{folder}[torch]'"


def test_a_wheel(copy: Installation, tmp_path: Path) -> None:
    wheel = tmp_path / "humobctl-0.1.0-py3-none-linux_x86_64.whl"
    wheel.touch()
    copy.source(url=wheel.as_uri(), archive_info={})
    assert extras.install_command("torch") == f"pip install '{wheel}[torch]'"
    copy.source(url="https://example.org/humobctl-0.1.0.tar.gz", archive_info={})
    told = "pip install 'humobctl[torch] @ https://example.org/humobctl-0.1.0.tar.gz'"
    assert extras.install_command("torch") == told


def test_a_repository(copy: Installation) -> None:
    vcs = {"vcs": "git", "commit_id": COMMIT, "requested_revision": "main"}
    copy.source(url="https://example.org/humobctl.git", vcs_info=vcs)
    told = f"humobctl[torch] @ git+https://example.org/humobctl.git@{COMMIT}"
    assert extras.install_command("torch") == f"pip install '{told}'"
    copy.source(url="https://example.org/all.git", vcs_info=vcs, subdirectory="mobility")
    assert extras.install_command("torch").endswith(f"{COMMIT}#subdirectory=mobility'")


@pytest.mark.parametrize(
    "direct",
    [
        None,  # from an index, or --find-links
        "no JSON",
        "[]",
        '{"url": "file:///gone/humobctl", "dir_info": {"editable": true}}',
        '{"url": "file:///gone/humobctl-0.1.0-py3-none-any.whl", "archive_info": {}}',
    ],
)
def test_without_a_source_the_packages_are_named(copy: Installation, direct: str | None) -> None:
    if direct is not None:
        (copy.info / "direct_url.json").write_text(direct)
    assert extras.install_command("torch") == "pip install 'torch>=2.6' 'transformers>=5'"
    assert extras.install_command("places") == "pip install 'osmium>=4.1' ijson"
    assert extras.install_command() == "pip install 'numpy>=2.0'"


def test_which_program_installs(copy: Installation, tmp_path: Path) -> None:
    def command() -> str:
        return extras.install_command("places").removesuffix(" 'osmium>=4.1' ijson")

    assert command() == "pip install"
    copy.patch.setattr(extras.sysconfig, "get_path", lambda _: str(tmp_path / "other"))
    assert command() == f"{sys.executable} -m pip install", "the pip of another environment"
    copy.program("uv")
    assert command() == f"{sys.executable} -m pip install"
    (copy.info / "INSTALLER").write_text("uv\n")
    assert command() == f"uv pip install --python {sys.executable}"
    copy.patch.setenv("VIRTUAL_ENV", sys.prefix)
    assert command() == "uv pip install"
    (copy.info / "INSTALLER").write_text("pip\n")
    copy.patch.setattr(extras, "find_spec", lambda _: None)
    assert command() == "uv pip install", "an environment without pip"
    (copy.scripts / "uv").unlink()
    assert command() == f"{sys.executable} -m pip install"


def test_what_is_missing_is_named(copy: Installation) -> None:
    here = {"torch": "2.13.0+cpu", "transformers": "5.1"}
    copy.patch.setattr(extras, "installed_version", here.get)
    extras.require("torch", "bert-moe")
    here["transformers"] = "4.57"
    told = (
        "bert-moe",
        "optional extra 'torch'",
        "missing: transformers)",
        "pip install 'torch>=2.6'",
    )
    with raises(HumobError, *told):
        extras.require("torch", "bert-moe")
    here.clear()
    with raises(HumobError, "missing: torch, transformers)"):
        extras.require("torch", "bert-moe")
    with raises(HumobError, "missing: ijson)"):
        extras.require("places", "GeoJSON", ("ijson",))


def test_nothing_is_known_of_a_copy_that_was_not_installed(copy: Installation) -> None:
    copy.patch.setattr(extras, "_distribution", lambda: None)
    assert extras.requirements() == {"": {}}
    extras.require("torch", "bert-moe")
    with raises(HumobError, "missing: ijson)", "ijson"):
        copy.patch.setattr(extras, "installed_version", lambda _: None)
        extras.require("places", "GeoJSON", ("ijson",))


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("train", "bert-moe", "challenge.csv", "-o", "m"), ("bert-moe", "'torch'", "torch")),
        (("train", "embedder", "city.csv", "-o", "m"), ("train embedder", "'torch'")),
        (("train", "diffusion", "stays.csv", "-o", "m"), ("train diffusion", "diffusers")),
        (("finetune", "merge", "a", "-o", "b"), ("finetune merge", "'llm'", "peft")),
        (("finetune", "llama", "c.csv", "--settings", "f.yaml"), ("f.yaml", "pyyaml")),
        (("finetune", "llama", "c.csv", "--base", "x", "-o", "m"), ("finetune llama", "peft")),
        (("embed", "city.csv", "--model", "embedder"), ("embed", "'torch'")),
        (("intend", "population.csv", "-b", "hf", "-m", "x"), ("--backend hf", "llguidance")),
        (
            ("intend", "population.csv", "-b", "openai", "-m", "x", "--base-url", "http://[::1]:9"),
            ("--backend openai", "'openai'", "json-repair"),
        ),
        (("predict", "challenge.csv", "--engine", "ray"), ("--engine ray", "'ray'")),
        (("predict", "challenge.csv", "--model", "no.gguf"), ("local language model", "'llm'")),
        (("data", "describe", "city.csv", "--plot", "a.png"), ("--plot a.png", "matplotlib")),
        (("data", "import", "city.geojson"), ("city.geojson", "GeoJSON", "ijson")),
        (
            ("explore", "embeddings.parquet", "city.csv", "--export", "map.html"),
            ("explore", "'explore'", "plotly"),
        ),
    ],
    ids=lambda words: " ".join(words[:3]) if words[0] in ("train", "finetune") else words[0],
)
def test_commands_name_what_they_need(
    cli: Cli, workdir: Path, monkeypatch: pytest.MonkeyPatch, words: tuple, names: tuple
) -> None:
    (workdir / "no.gguf").touch()
    (workdir / "f.yaml").write_text("model_name_or_path: x\n")
    found, lacking = extras.installed_version, set().union(*extras.requirements().values())
    lacking -= extras.requirements()[""].keys()
    monkeypatch.setattr(
        extras, "installed_version", lambda name: None if name in lacking else found(name)
    )
    fails(cli(*words, cwd=workdir), *names, "missing:", "install it with:", "pip install")


def test_doctor_prints_the_command(copy: Installation, cli: Cli, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "a code")
    copy.source(url=folder.as_uri(), dir_info={"editable": True})
    found = extras.installed_version
    copy.patch.setattr(
        "humobctl.doctor.packages.installed", lambda n: (n != "osmium" and found(n)) or None
    )
    done = cli("doctor", env={"PATH": str(copy.scripts)})
    assert f"  places: pip install -e '{folder}[places]'\n" in done.out
    assert shutil.which("pip", path=str(copy.scripts))
