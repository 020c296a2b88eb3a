"""Packages: which are here, which are missing or too old, and what installs them."""

from __future__ import annotations

from dataclasses import dataclass

from humobctl.extras import install_command, installed_version, requirements, serves

HIDDEN = ("dev", "docs", "fuzz")
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
        """Whether it is installed and new enough."""
        return serves(self.version, self.least)

    @property
    def install(self) -> str | None:
        """The command that installs it; None where it is installed."""
        return None if self.ok else install_command(self.extra)

    @property
    def state(self) -> str:
        """``ok``, or what is wrong."""
        if self.ok:
            return "ok"
        return "missing" if self.version is None else f"too old, {self.least} is needed"


def parts() -> list[Package]:
    """The packages of the core, then of each extra, none twice in the same one."""
    needed = requirements()
    return [
        Package(extra, name, installed_version(name), least)
        for extra in sorted(needed, key=lambda extra: (extra != "", extra))
        if extra not in HIDDEN
        for name, least in sorted(needed[extra].items())
    ]
