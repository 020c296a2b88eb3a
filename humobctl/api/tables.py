"""Tables in and out of the library: frames or files, whichever the caller has and wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

from humobctl.errors import UsageError
from humobctl.io.frame_path import NAME, FramePath
from humobctl.io.kept_inputs import inputs_kept

if TYPE_CHECKING:
    import polars as pl

    from humobctl.execution.run import LongRun
    from humobctl.io.scratch import Scratch
    from humobctl.tables.schemas import Table

Written = TypeVar("Written")


class ArrowTable(Protocol):
    """A frame of another library, such as pandas or pyarrow."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table in Arrow's form."""
        ...


PathName: TypeAlias = str | PathLike[str]
ModelDir: TypeAlias = PathName
Frame: TypeAlias = "pl.DataFrame | pl.LazyFrame | ArrowTable"
Source: TypeAlias = "PathName | Frame"
"""A table: a frame of polars or pandas, or the path of a file or folder (``-`` for stdin)."""
Sources: TypeAlias = "Source | Sequence[Source] | Mapping[str, Source]"
"""One table, or several; the keys of a mapping name frames in what is printed."""


class NamedTable(NamedTuple):
    """A table with a name that messages and scores call it by."""

    name: str
    table: Source


def as_frame(table: Frame) -> pl.DataFrame:
    """The table as a frame of polars; pandas is not imported.

    Raises:
        UsageError: it is not a table.
    """
    import polars as pl

    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    if type(table).__module__.partition(".")[0] == "pandas":
        return _from_pandas(table)
    if hasattr(table, "__arrow_c_stream__"):
        return pl.DataFrame(table)
    raise UsageError(f"found {type(table).__name__}, expected a data frame or the path of a file")


def _from_pandas(table: Any) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.from_pandas(table)
    except ImportError:  # texts and categories would take pyarrow, which is not needed else
        columns = {str(name): table[name] for name in table.columns}
    return pl.DataFrame(
        {
            name: [None if lost else one for one, lost in zip(values, values.isna(), strict=True)]
            for name, values in columns.items()
        }
    )


@contextmanager
def paths_of(*sources: Source | NamedTable | None) -> Iterator[list[Any]]:
    """Paths that everything that reads files can read; None stays None.

    A frame goes to a temporary Arrow file, which is there as long as the block.
    """
    from humobctl.io.scratch import Scratch

    with Scratch() as owner, inputs_kept():
        yield [_path_of(one, owner, f"{at}.arrow") for at, one in enumerate(sources)]


def _path_of(source: Source | NamedTable | None, owner: Scratch, file: str) -> str | None:
    name, table = source if isinstance(source, NamedTable) else (NAME, source)
    if table is None or isinstance(table, str):
        return table
    if isinstance(table, PathLike):
        return str(Path(table))
    from humobctl.io.streams import clear_os_errors

    frame = as_frame(table)
    place = owner.scratch / file
    with clear_os_errors("temporary files"):
        frame.write_ipc(place)
    return FramePath(place, name)


def several(sources: Sources) -> list[Any]:
    """One table, or several, as a list; frames of a mapping are called by its keys."""
    if isinstance(sources, Mapping):
        return [NamedTable(name, one) for name, one in sources.items()]
    return list(sources) if isinstance(sources, list | tuple) else [sources]


def as_path(path: PathName | None) -> str | None:
    """The path of a file to write; an ending ``/`` of a folder stays."""
    return path if path is None or isinstance(path, str) else str(Path(path))


def deliver(
    frames: Iterable[pl.DataFrame], table: Table, long: LongRun, format: str | None
) -> pl.DataFrame:
    """The frames as one, or what was written: the frames go to the output of the run.

    Raises:
        UsageError: a format without an output.
    """
    import polars as pl

    if long.output is None:
        refuse_format(format)
        return pl.concat([pl.DataFrame(schema=table.dtypes), *frames])
    with long:
        return summary(long.output, rows=long.write(iter(frames), table, format))


def write_to_frame(
    output: str | None, format: str | None, write: Callable[[str], Written]
) -> tuple[pl.DataFrame, Written]:
    """What ``write`` writes as a frame, an empty one where there is an output; what it returns."""
    import polars as pl

    if output is not None:
        return pl.DataFrame(), write(output)
    refuse_format(format)
    from humobctl.io.scratch import Scratch

    with Scratch() as owner:
        path = owner.scratch / "table.arrow"
        done = write(str(path))
        return pl.read_ipc(path), done


def refuse_format(format: str | None) -> None:
    """Refuse a format where nothing is written.

    Raises:
        UsageError: there is one.
    """
    if format is not None:
        raise UsageError("--format needs --output")


def summary(output: str, **counts: int) -> pl.DataFrame:
    """One row that says what was written: output, and how many of what."""
    import polars as pl

    return pl.DataFrame({"output": [output], **{name: [many] for name, many in counts.items()}})
