"""Packages: which are here, which are missing or too old, and what installs them.

What is needed stands in the package's own metadata, so that there is no second list to keep.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata

_NEEDED = re.compile(r"([\w.-]+)(?:\[([\w,-]+)\])?\s*([^;]*)(?:;\s*(.*))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")
_LEAST = re.compile(r">=\s*([\d.]+)")
OURSELVES = "humobctl"
HIDDEN = ("dev", "fuzz")
"""Extras for those who work on humobctl."""


@dataclass(frozen=True)
class Package:
    """A package.

    Attributes:
        extra: the optional part of humobctl that needs it; "" for the core.
        name: of the distribution.
        version: that is installed; None for none.
        least: oldest version that serves; "" for any.
    """

    extra: str
    name: str
    version: str | None
    least: str

    @property
    def ok(self) -> bool:
        """Whether it is here, and new enough."""
        return self.version is not None and _numbers(self.version) >= _numbers(self.least)

    @property
    def install(self) -> str | None:
        """The line that mends it; None where nothing is to be mended."""
        if self.ok:
            return None
        wanted = f"{OURSELVES}[{self.extra}]" if self.extra else OURSELVES
        return f"pip install '{wanted}'"

    @property
    def state(self) -> str:
        """``ok``, or what is wrong and what mends it."""
        if self.ok:
            return "ok"
        fault = "missing" if self.version is None else f"too old, {self.least} is needed"
        return f"{fault}: {self.install}"


def parts() -> list[Package]:
    """The packages of the core, then of each extra, none twice in the same one."""
    needed = requirements()
    return [
        Package(extra, name, installed(name), least)
        for extra in sorted(needed, key=lambda extra: (extra != "", extra))
        if extra not in HIDDEN
        for name, least in sorted(needed[extra].items())
    ]


def requirements() -> dict[str, dict[str, str]]:
    """For each extra ("" is the core) the packages of its own, with the oldest version that serves.

    Packages of an extra that another one includes stand only there.
    """
    needed: dict[str, dict[str, str]] = {"": {}}
    for line in metadata.requires(OURSELVES) or ():
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


def installed(name: str) -> str | None:
    """The version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: enough to compare with an oldest one."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
