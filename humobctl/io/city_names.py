"""Names of cities, one a file."""

from __future__ import annotations

from pathlib import Path

from humobctl.errors import UsageError


def city_names(
    paths: list[str], given: tuple[str, ...] | None, *, distinct: bool = True
) -> list[str]:
    """Names of cities, one a file: those given, or the files' own.

    Args:
        paths: of the files.
        given: names; None for those of the files.
        distinct: whether each must have a name of its own.

    Raises:
        UsageError: they differ in number, or one is there twice.
    """
    own = ("stdin" if path == "-" else Path(path).name.split(".")[0] for path in paths)
    names = list(given or own)
    if len(names) != len(paths):
        raise UsageError(f"--city: found {len(names)} names for {len(paths)} files, expected equal")
    if distinct and len(set(names)) < len(names):
        raise UsageError(f"--city: found {names}, expected a name of its own for each file")
    return names
