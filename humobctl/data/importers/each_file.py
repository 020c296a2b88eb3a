"""Data sets of many files that are read one after the other; messages name the one at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from humobctl.data.importers.options import stand_in
from humobctl.io.streams import Input, open_input


def input_of(name: str, files: Iterable[Path]) -> Input:
    """An input that stands for all of the files, to count progress."""
    return stand_in(name, sum(path.stat().st_size for path in files))


def each_file(whole: Input, files: Iterable[Path]) -> Iterator[tuple[Path, Input]]:
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
