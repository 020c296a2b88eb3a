"""The build hook: which compiler, and a wheel that serves every Python of a platform."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from packaging.utils import canonicalize_name

from humobctl import __version__, native
from humobctl.errors import HumobError
from scripts.licences import dependencies, licence
from tests.conftest import ROOT
from tests.messages import raises


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    """hatch_build.py with hatchling, which lives in the build's own environment, stood in for."""
    interface = ModuleType("hatchling.builders.hooks.plugin.interface")
    interface.BuildHookInterface = object  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, interface.__name__, interface)
        spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def program(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_compiler_is_chosen(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    kernel_hook = hook.KernelBuildHook()
    assert hook.compiler() == [sys.executable, "-m", "ziglang", "cc"]
    assert kernel_hook.dependencies() == ["ziglang>=0.13"]
    program(tmp_path, "clang")
    assert hook.compiler() == ["clang"]
    program(tmp_path, "cc")
    assert hook.compiler() == ["cc"]
    assert kernel_hook.dependencies() == []
    monkeypatch.setenv("CC", "gcc -m64")
    assert hook.compiler() == ["gcc", "-m64"]


def test_the_wheel_tells_type_checkers_of_its_types() -> None:
    """Hatchling takes all of the packages, but for what is excluded or ignored by git."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"] == {"packages": ["humobctl"]}
    assert build.keys() == {"hooks", "targets"}
    assert (ROOT / "humobctl" / "py.typed").is_file()
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert not [line for line in ignored if fnmatch("humobctl/py.typed", f"*{line.strip('/')}")]


def test_build_compiles_and_marks_the_wheel(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which("cc"):
        pytest.skip("no C compiler here; the installed kernels were built by ziglang")
    folder = tmp_path / hook.FOLDER
    folder.mkdir(parents=True)
    names = ("*.[ch]", "__init__.py")
    files = [file for name in names for file in (ROOT / hook.FOLDER).glob(name)]
    sources = [Path(shutil.copy(file, folder)) for file in files]
    builder = hook.KernelBuildHook()
    builder.root, builder.target_name = str(tmp_path), "wheel"
    built: dict[str, object] = {"artifacts": []}
    monkeypatch.chdir(tmp_path)
    builder.initialize("standard", built)
    library = folder / f"kernels{hook.SUFFIX}"
    assert built["artifacts"] == [str(library.relative_to(tmp_path))]
    assert built["pure_python"] is False
    assert str(built["tag"]).startswith("py3-none-")
    assert ctypes.CDLL(str(library)).humob_mark_seen
    assert ctypes.CDLL(str(library)).humob_score_days
    assert sorted(folder.iterdir()) == sorted([*sources, library]), "nothing half-written"
    loads(library)
    edited = folder / "scoring.c"
    edited.write_text(edited.read_text() + "\n")
    with raises(HumobError, library.name, "other sources", "pip install"):
        loads(library)


def loads(library: Path) -> None:
    """Load the kernels of another folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "LIBRARY", library)
        native.library.__wrapped__()


def assembled_wheel(folder: Path) -> Path:
    """A wheel of the package as it is here, without the build that takes the network."""
    info = "humobctl-0.1.0.dist-info"
    about = metadata.distribution("humobctl").read_text("METADATA") or ""
    files = {
        f"{info}/METADATA": re.sub(r"(?m)^Version: .*", "Version: 0.1.0", about),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nhumobctl = humobctl.__main__:run\n",
    }
    wheel = folder / "humobctl-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        for path in sorted((ROOT / "humobctl").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                packed.write(path, path.relative_to(ROOT))
        names = [*packed.namelist(), *files, f"{info}/RECORD"]
        for name, text in files.items():
            packed.writestr(name, text)
        packed.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))
    return wheel


def test_a_wheel_in_an_environment_of_its_own_says_how_to_install_extras(tmp_path: Path) -> None:
    """Real processes: pip writes where the copy came from, `doctor` there reads it."""
    wheel, home = assembled_wheel(tmp_path), tmp_path / "my environment"
    venv.create(home, symlinks=True, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    seen = tmp_path / "seen"  # the packages of this environment, but for one
    seen.mkdir()
    for place in Path(str(metadata.distribution("osmium").locate_file(""))).iterdir():
        if not place.name.startswith(("osmium", "humobctl")) and place.suffix != ".pth":
            (seen / place.name).symlink_to(place)
    (site / "seen.pth").write_text(f"{seen}\n")
    python = home / "bin" / "python"
    install = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        "--no-compile",
    )
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([*install, wheel], check=True, capture_output=True, env=environ)
    doctor = [home / "bin" / "humobctl", "doctor", "--format", "json"]
    done = subprocess.run(doctor, check=True, capture_output=True, text=True, env=environ)
    told = json.loads(done.stdout)
    (osmium,) = (package for package in told["packages"] if package["name"] == "osmium")
    assert osmium["install"] == f"'{python}' -m pip install '{wheel}[places]'"
    kernels = next(fact for fact in told["machine"] if fact["name"] == "compiled kernels")
    assert kernels["state"] == "ok"


def test_the_package_does_not_depend_on_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not [name for name in project["dependencies"] if name.startswith(("torch", "trans"))]
    extras = project["optional-dependencies"]
    assert {"plot", "torch", "llm", "explore", "dev"} <= extras.keys()


def test_dockerfile_passes_hadolint() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [hadolint, "Dockerfile"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout


def test_dockerfile_copies_only_what_is_there() -> None:
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    named = [line.removeprefix("!") for line in kept if line.startswith("!")]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_ci_runs_the_readmes_test_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
    assert "    make test\n" in (ROOT / "README.md").read_text()
    assert "    make demo\n" in (ROOT / "README.md").read_text()


def test_the_citation_is_of_this_version() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_every_package_that_tests_run_with_has_its_version_in_the_constraints() -> None:
    lines = (ROOT / "constraints-cpu.txt").read_text().splitlines()
    pinned = {canonicalize_name(line.partition("==")[0]) for line in lines if "==" in line}
    wanted = dependencies(left_out=("fuzz",))
    installed = {name for name in wanted if licence(name) is not None}
    assert "pytest" in installed
    assert installed <= pinned, f"not in constraints-cpu.txt: {sorted(installed - pinned)}"
