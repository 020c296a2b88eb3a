"""Data sets of many files that are read one after the other; messages name the one at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from humobctl.data.importers.options import stand_in
from humobctl.errors import HumobError
from humobctl.io.streams import Input, open_input


def refuse_links(files: Sequence[Path]) -> None:
    """Raise an error at a link, which may lead anywhere.

    Raises:
        HumobError: a file is a link.
    """
    for path in files:
        if path.is_symlink():
            raise HumobError(f"{path}: found a symbolic link, expected a file")


def input_of(name: str, files: Sequence[Path]) -> Input:
    """An input that stands for all of the files, to count progress.

    Raises:
        HumobError: a file is a link.
    """
    refuse_links(files)
    return stand_in(name, sum(path.stat().st_size for path in files))


def each_file(whole: Input, files: Sequence[Path]) -> Iterator[tuple[Path, Input]]:
    """The files, opened one by one; until the next one, ``whole`` bears the name of each."""
    folder, read = whole.name, 0
    for path in files:
        source = open_input(str(path))
        whole.name = source.name
        try:
            yield path, source
        finally:
            whole.name = folder
            source.close()
        read += path.stat().st_size
        whole.raw.seek(read)
