"""Optional extras: what each needs, what of it is missing here, and what installs it.

What is needed, and where this copy of humobctl came from, stand in the metadata that pip and uv
leave beside an installed package, so that there is no second list to keep. The command that is
shown names the source of this copy where that is still there: a checkout or folder, a wheel, a
repository. Otherwise (a package index, a folder that was deleted) it names the packages themselves,
which any installation can fetch.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from humobctl.errors import HumobError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

OURSELVES = "humobctl"
CONSTRAINTS = "constraints-cpu.txt"
"""The versions that are tested, in a checkout."""
_NEEDED = re.compile(r"([\w.-]+)(?:\[([\w,-]+)\])?\s*([^;]*)(?:;\s*(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")
_LEAST = re.compile(r">=\s*([\d.]+)")


def require(extra: str, what: str, packages: Iterable[str] = ()) -> None:
    """Refuse early and clearly what needs packages that are not installed.

    Args:
        extra: that brings them.
        what: needs them; begins the message.
        packages: those of the extra that are needed here; all of them if there are none.

    Raises:
        HumobError: a package is missing, or too old.
    """
    needed = requirements().get(extra, {})
    wanted = tuple(packages) or tuple(needed)
    missing = [name for name in wanted if not serves(installed_version(name), needed.get(name, ""))]
    if missing:
        raise HumobError(
            f"{what} needs the optional extra {extra!r} (missing: {', '.join(missing)}); "
            f"install it with: {install_command(extra)}"
        )


def requirements() -> dict[str, dict[str, str]]:
    """For each extra ("" is the core) its packages, with the oldest version that serves."""
    needed: dict[str, dict[str, str]] = {"": {}}
    found = _distribution()
    for line in (found and found.requires) or ():
        match = _NEEDED.match(line)
        if match is None:
            continue
        name, _, versions, marker = match.groups()
        extra = _EXTRA.search(marker or "")
        if name == OURSELVES:
            continue
        least = _LEAST.search(versions or "")
        group = needed.setdefault(extra[1] if extra else "", {})
        group[name] = least[1] if least else ""
    return needed


def installed_version(name: str) -> str | None:
    """The version of a distribution, or None."""
    from importlib import metadata  # noqa: PLC0415 - not needed to start up

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def serves(version: str | None, least: str) -> bool:
    """Whether a version is there, and new enough."""
    return version is not None and _numbers(version) >= _numbers(least)


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: enough to compare with an oldest one."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def install_command(extra: str = "") -> str:
    """The command that installs an extra ("": what the core needs) for this copy of humobctl."""
    needed = requirements().get(extra, {})
    source = _source(extra)
    if source is None:
        names = (f"{name}>={least}" if least else name for name, least in needed.items())
        return install_packages(*names)
    # The constraints are those of CPU builds: a machine with a GPU is to get its own torch.
    pinned = "torch" in needed and not has_nvidia_driver()
    place = _place()
    constraints = place / CONSTRAINTS if place is not None and pinned else None
    options = ("-c", str(constraints)) if constraints is not None and constraints.is_file() else ()
    return _command(*options, *source)


def install_packages(*names: str) -> str:
    """The command that installs packages in this environment."""
    return _command(*names)


def reinstall_command() -> str:
    """The command that installs this copy of humobctl anew, and nothing else."""
    source = _source("")
    version = installed_version(OURSELVES)
    if source is None:
        source = (OURSELVES + (f"=={version}" if version else ""),)
    return _command("--force-reinstall", "--no-deps", *source)


def has_nvidia_driver(proc: Path = Path("/proc")) -> bool:
    """Whether an NVIDIA driver is installed."""
    return (proc / "driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def _command(*arguments: str) -> str:
    program, options = _installer()
    return shlex.join((*program, "install", *options, *arguments))


def _installer() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What installs packages in the environment of this process, and its options."""
    if shutil.which("uv") and (_read_metadata("INSTALLER") == "uv" or find_spec("pip") is None):
        # uv takes the environment that is activated, or .venv of the current folder.
        activated = Path(os.environ.get("VIRTUAL_ENV") or "/") == Path(sys.prefix)
        return ("uv", "pip"), () if activated else ("--python", sys.executable)
    beside = Path(shutil.which("pip") or "").parent == Path(sysconfig.get_path("scripts"))
    return ("pip",) if beside else (sys.executable, "-m", "pip"), ()


def _source(extra: str) -> tuple[str, ...] | None:
    """Where this copy came from, as arguments of pip; None where nothing tells, or it is gone."""
    bracket = f"[{extra}]" if extra else ""
    direct, place = _direct(), _place()
    url, vcs = direct.get("url", ""), direct.get("vcs_info")
    if isinstance(vcs, dict):
        folder = direct.get("subdirectory")
        within = f"#subdirectory={folder}" if folder else ""
        return (f"{OURSELVES}{bracket} @ {vcs.get('vcs')}+{url}@{vcs.get('commit_id')}{within}",)
    if place is None:
        return (f"{OURSELVES}{bracket} @ {url}",) if "archive_info" in direct else None
    if not (place.is_file() or (place / "pyproject.toml").is_file()):
        return None
    editable = direct.get("dir_info", {}).get("editable")
    return (*(("-e",) if editable else ()), f"{place}{bracket}")


def _place() -> Path | None:
    """The folder or file that this copy was installed from; None for another source."""
    url = urlsplit(str(_direct().get("url", "")))
    return Path(url2pathname(url.path)) if url.scheme == "file" else None


def _direct() -> dict[str, Any]:
    """What ``direct_url.json`` says (the PyPA's "Recording the Direct URL Origin")."""
    try:
        told = json.loads(_read_metadata("direct_url.json"))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _read_metadata(name: str) -> str:
    """A file of this copy's metadata; empty where there is none."""
    found = _distribution()
    return ((found and found.read_text(name)) or "").strip()


def _distribution() -> Distribution | None:
    from importlib import metadata  # noqa: PLC0415 - not needed to start up

    try:
        return metadata.distribution(OURSELVES)
    except metadata.PackageNotFoundError:
        return None
