"""Embeddings read, written and reduced: Parquet and other tables, npy, safetensors.

An npy file holds one structured array with the fields ``uid``, ``embedding`` and, where they are
known, ``city`` and ``pca``; numpy reads it without pickles. A safetensors file holds tensors of
those names, ``city`` as numbers into the list ``cities`` of its metadata.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console.words import pluralize
from humobctl.errors import HumobError, TableError, UsageError
from humobctl.io.arrow_lengths import check_arrow
from humobctl.io.output_lock import note_input
from humobctl.io.parquet_dataset import parquet_columns
from humobctl.io.size_limits import check_parquet
from humobctl.io.streams import (
    STANDARD,
    Input,
    clear_os_errors,
    open_input,
    output_format,
    seekable,
    whole_file,
)
from humobctl.io.write import write_table
from humobctl.native import Floats, Int64s
from humobctl.tables.schemas import EMBEDDINGS

Vectors = NDArray[np.float32]
ARRAYS = (".npy", ".safetensors")
FORMATS = ("parquet", "npy", "safetensors", "csv", "ndjson", "arrow")


@dataclass(frozen=True)
class UserEmbeddings:
    """Vectors of users.

    Attributes:
        name: of the file.
        uid: of each user, (n,).
        vectors: (n, E).
        city: name of each user's city; None where none is said.
        pca: principal components, (n, C); None where they are not there.
    """

    name: str
    uid: Int64s
    vectors: Vectors
    city: NDArray[np.str_] | None = None
    pca: Vectors | None = None

    def __len__(self) -> int:
        return len(self.uid)

    def row_of(self, uid: int, city: str | None = None) -> int:
        """The row of a user.

        Raises:
            HumobError: there is none, or one in each of several cities.
        """
        found = np.flatnonzero(self.uid == uid)
        if city is not None and self.city is not None:
            found = found[self.city[found] == city]
        if len(found) == 1:
            return int(found[0])
        if not len(found):
            raise HumobError(f"{self.name}: found no user {uid}, expected one of {len(self):,}")
        assert self.city is not None
        raise HumobError(
            f"{self.name}: found user {uid} in {', '.join(self.city[found])}, expected --city with "
            "one of them"
        )


def embedding_format(path: str | None, asked: str | None) -> str:
    """The format to write: as asked, otherwise by the file's ending, otherwise Parquet for a file.

    Raises:
        UsageError: an ending that says nothing, and no format asked for.
    """
    if asked is not None:
        if asked not in FORMATS:
            raise UsageError(f"--format: found {asked!r}, expected one of {', '.join(FORMATS)}")
        return asked
    if path not in (None, STANDARD) and Path(str(path)).suffix.lower() in ARRAYS:
        return Path(str(path)).suffix.lower()[1:]
    return output_format(path, None)


def write_embeddings(
    batches: Iterable[pl.DataFrame], path: str | None, format: str | None = None
) -> int:
    """Write batches of the embedding table, whole or not at all.

    Tables are streamed; npy and safetensors are gathered first, since they begin with a count.

    Args:
        batches: with the columns of ``EMBEDDINGS``, and ``pc1, pc2, ...`` where wanted.
        path: a file, or None or ``-`` for standard output.
        format: see ``FORMATS``; in CSV the numbers are columns ``e1`` to ``e512``.

    Returns:
        Number of users.
    """
    kind = embedding_format(path, format)
    if kind not in ("npy", "safetensors"):
        if kind == "csv":
            batches = (_wide(batch) for batch in batches)
        return write_table(batches, path, table=None, format=kind)
    frame = pl.concat(list(batches))
    if path in (None, STANDARD):
        raise UsageError(f"--format {kind}: expected --output with a file")
    with whole_file(str(path)) as place:
        _write_arrays(frame, kind, place)
    return frame.height


def _wide(batch: pl.DataFrame) -> pl.DataFrame:
    size = batch["embedding"].dtype.shape[0]  # type: ignore[attr-defined]
    names = [f"e{number}" for number in range(1, size + 1)]
    numbers = pl.DataFrame(batch["embedding"].to_numpy(), schema=names)
    return pl.concat([batch.drop("embedding"), numbers], how="horizontal")


def _write_arrays(frame: pl.DataFrame, kind: str, place: Path) -> None:
    names = [name for name in frame.columns if name.startswith("pc")]
    parts: dict[str, NDArray[Any]] = {
        "uid": frame["uid"].to_numpy(),
        "embedding": frame["embedding"].to_numpy(),
    }
    if names:
        parts["pca"] = frame.select(names).to_numpy().astype(np.float32)
    cities = sorted(frame["city"].drop_nulls().unique().to_list())
    if kind == "npy":
        if cities:
            parts["city"] = frame["city"].fill_null("").to_numpy().astype(np.str_)
        fields = [(name, part.dtype, part.shape[1:]) for name, part in parts.items()]
        whole = np.empty(frame.height, dtype=fields)
        for name, part in parts.items():
            whole[name] = part
        with place.open("wb") as file:
            np.save(file, whole, allow_pickle=False)
        return
    from safetensors.numpy import save_file  # noqa: PLC0415

    if cities:
        code = frame["city"].replace_strict(cities, list(range(len(cities))), default=-1)
        parts["city"] = code.to_numpy().astype(np.int32)
    tensors = {name: np.ascontiguousarray(part) for name, part in parts.items()}
    save_file(tensors, place, metadata={"cities": json.dumps(cities)})


def is_embeddings(path: str) -> bool:
    """Whether a file holds embeddings, by its ending or its columns; nothing is used up."""
    from humobctl.data.importers.table_kind import columns_of  # noqa: PLC0415

    if Path(path).suffix.lower() in ARRAYS:
        return True
    columns = columns_of(path)
    return "embedding" in columns or {"uid", "e1", "e2"} <= columns


def read_embeddings(path: str) -> UserEmbeddings:
    """Read a file of embeddings, of any size of vectors.

    Args:
        path: a table, an npy or a safetensors file; ``-`` for a table on standard input.

    Raises:
        HumobError: it cannot be read, or holds no vectors of one size with finite numbers and
            each user once.
    """
    name = "stdin" if path == STANDARD else path
    try:
        return _check(_read(path, name))
    except (ValueError, TypeError, IndexError, OverflowError, pl.exceptions.PolarsError) as exc:
        # Arrays can be of any shape and type.
        raise HumobError(f"{name}: not a readable table of embeddings ({exc})") from exc


def _read(path: str, name: str) -> UserEmbeddings:
    note_input(path, name)
    ending = Path(path).suffix.lower()
    if ending == ".npy":
        return _from_npy(path)
    return _from_safetensors(path) if ending == ".safetensors" else _from_table(path, name)


def _from_npy(path: str) -> UserEmbeddings:
    try:
        with clear_os_errors(path):
            whole = np.load(path, allow_pickle=False)
    except HumobError:
        raise
    except Exception as exc:  # numpy reads a damaged header as Python
        raise HumobError(f"{path}: not a readable npy array ({exc})") from exc
    if not isinstance(whole, np.ndarray):
        raise HumobError(f"{path}: found an npz file, expected one npy array")
    if whole.dtype.names is None:
        if whole.ndim != 2:
            raise HumobError(f"{path}: found an array of shape {whole.shape}, expected (users, E)")
        return UserEmbeddings(path, np.arange(len(whole)), whole.astype(np.float32))
    names = whole.dtype.names
    if not {"uid", "embedding"} <= set(names):
        raise HumobError(f"{path}: found the fields {', '.join(names)}, expected uid, embedding")
    return UserEmbeddings(
        path,
        whole["uid"].astype(np.int64),
        np.ascontiguousarray(whole["embedding"], np.float32),
        whole["city"] if "city" in names else None,
        whole["pca"] if "pca" in names else None,
    )


def _from_safetensors(path: str) -> UserEmbeddings:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        with clear_os_errors(path), safe_open(path, "numpy") as file:
            parts = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            cities = json.loads((file.metadata() or {}).get("cities", "[]"))
    except (SafetensorError, ValueError, RecursionError) as exc:
        raise HumobError(f"{path}: not a readable safetensors file ({exc})") from exc
    if not {"uid", "embedding"} <= parts.keys():
        raise HumobError(
            f"{path}: found the tensors {', '.join(parts)}, expected uid and embedding"
        )
    city = np.array([*cities, ""], dtype=np.str_)[parts["city"]] if "city" in parts else None
    return UserEmbeddings(
        path, parts["uid"].astype(np.int64), parts["embedding"], city, parts.get("pca")
    )


def _from_table(path: str, name: str) -> UserEmbeddings:
    source = open_input(path)
    try:
        with seekable(source) as place:
            if source.parts:
                frame = _whole_folder(source)
            elif source.kind == "parquet":
                check_parquet(place, len(parquet_columns(place)), name)
                frame = pl.read_parquet(place, glob=False)
            elif source.kind in ("arrow", "arrow-stream"):
                check_arrow(place, name)
                read = pl.read_ipc if source.kind == "arrow" else pl.read_ipc_stream
                frame = read(place)
            elif source.kind == "ndjson":
                frame = pl.read_ndjson(place)
            else:
                frame = pl.read_csv(place, schema_overrides={"uid": pl.UInt32})
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as exc:
        at = source.name if source.parts else name
        raise HumobError(f"{at}: {str(exc).splitlines()[0]}, expected embeddings") from exc
    finally:
        source.close()
    return of_frame(frame, name)


def _whole_folder(source: Input) -> pl.DataFrame:
    """All files of a folder; a ``city=...`` folder says the city of its rows."""
    frames: list[pl.DataFrame] = []
    for part in source.parts:
        with source.reading(part) as path:
            check_parquet(path, len(parquet_columns(path)), part.name)
            frame = pl.read_parquet(path, glob=False, hive_partitioning=False)
            if "city" in part.keys and "city" not in frame.columns:
                frame = frame.with_columns(city=pl.lit(part.keys["city"], pl.String))
            if frames and frame.columns != frames[0].columns:
                raise HumobError(
                    f"{part.name}: found columns {', '.join(frame.columns[:8])}, expected "
                    f"{', '.join(frames[0].columns[:8])} as in {source.parts[0].name}"
                )
            frames.append(frame)
    return pl.concat(frames, how="vertical_relaxed")


def table(found: UserEmbeddings) -> pl.DataFrame:
    """The embedding table of vectors, with ``pc1, pc2, ...`` where they are known."""
    city = [None] * len(found) if found.city is None else [one or None for one in found.city]
    frame = pl.DataFrame(
        {
            "uid": pl.Series(found.uid, dtype=pl.UInt32),
            "embedding": pl.Series(
                found.vectors, dtype=pl.Array(pl.Float32, found.vectors.shape[1])
            ),
            "city": pl.Series(city, dtype=pl.String),
        }
    ).select(EMBEDDINGS.columns)
    if found.pca is None:
        return frame
    return frame.with_columns(
        pl.Series(f"pc{number}", part) for number, part in enumerate(found.pca.T, 1)
    )


def of_frame(frame: pl.DataFrame, name: str) -> UserEmbeddings:
    """Vectors of a table with uid and embedding, or e1, e2, ..., and what else is known."""
    wide = [column for column in frame.columns if column[:1] == "e" and column[1:].isdigit()]
    if "uid" not in frame.columns or not ("embedding" in frame.columns or wide):
        raise HumobError(
            f"{name}: found columns {', '.join(frame.columns[:8])}, expected "
            f"{', '.join(EMBEDDINGS.columns)}; 'humobctl embed' writes them"
        )
    uid = frame["uid"].cast(pl.UInt32, strict=False)
    if uid.null_count():
        row = int(uid.is_null().arg_max() or 0)
        raise TableError(
            name,
            repr(frame["uid"][row]),
            EMBEDDINGS.describe_expected("uid"),
            row=row + 1,
            column="uid",
        )
    if "embedding" in frame.columns:
        vectors = _matrix(frame["embedding"], name)
    else:
        vectors = frame.select(pl.col(wide).cast(pl.Float32)).to_numpy()
    city = (
        frame["city"].fill_null("").to_numpy().astype(np.str_) if "city" in frame.columns else None
    )
    parts = [column for column in frame.columns if column[:2] == "pc" and column[2:].isdigit()]
    pca = frame.select(pl.col(parts).cast(pl.Float32)).to_numpy() if parts else None
    return UserEmbeddings(name, uid.to_numpy().astype(np.int64), vectors, city, pca)


def _matrix(column: pl.Series, name: str) -> Vectors:
    kind = column.dtype
    if isinstance(kind, pl.Array) and not column.null_count():
        return np.ascontiguousarray(column.to_numpy(), np.float32)
    if not isinstance(kind, pl.List):
        raise HumobError(f"{name}: column embedding: found {kind}, expected lists of numbers")
    lengths = column.list.len()
    size = lengths[0]
    if lengths.null_count() or (lengths != size).any():
        row = int((lengths.fill_null(0) != size).arg_max() or 0)
        raise TableError(
            name, f"{lengths[row]} numbers", f"{size} as above", row=row + 1, column="embedding"
        )
    return column.cast(pl.Array(pl.Float32, size)).to_numpy()


def _check(found: UserEmbeddings) -> UserEmbeddings:
    if not len(found) or found.vectors.ndim != 2 or not found.vectors.shape[1]:
        raise HumobError(f"{found.name}: found no vectors, expected some")
    if len(found.vectors) != len(found):
        raise HumobError(
            f"{found.name}: found {len(found.vectors)} vectors of "
            f"{pluralize(len(found), 'user')}, expected one "
            "each"
        )
    finite = np.isfinite(found.vectors).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise TableError(
            found.name,
            "a number that is not finite",
            "512 finite numbers",
            row=row + 1,
            column="embedding",
        )
    city = found.city if found.city is not None else np.zeros(len(found), np.str_)
    seen = pl.DataFrame({"city": city.tolist(), "uid": found.uid})
    first = seen.select(pl.struct("city", "uid").is_first_distinct()).to_series()
    if not first.all():
        row = int((~first).arg_max() or 0)
        raise TableError(
            found.name,
            f"user {found.uid[row]} a second time",
            "each user of a city once",
            row=row + 1,
            column="uid",
        )
    return found


def refuse_terminal(path: str | None, format: str | None) -> None:
    """Refuse to print vectors to a terminal.

    Raises:
        UsageError: standard output is one.
    """
    if path in (None, STANDARD) and format is None and sys.stdout.isatty():
        raise UsageError("--output: expected a file or a pipe for 512 numbers a user")


def components(vectors: Vectors, count: int) -> tuple[Vectors, Floats]:
    """Coordinates along the axes of most variance, and the share of the variance on each.

    The axes are eigenvectors of the covariance, whose size does not depend on the users; of each,
    the largest coordinate is positive.

    Args:
        vectors: (n, E).
        count: of axes.

    Returns:
        (n, count) and (count,).

    Raises:
        UsageError: more axes than users or numbers.
    """
    most = min(len(vectors), vectors.shape[1])
    if not 1 <= count <= most:
        raise UsageError(f"--pca: found {count}, expected 1 to {most}")
    centred = vectors - vectors.mean(axis=0, dtype=np.float64)
    values, axes = np.linalg.eigh(centred.T @ centred)
    values, axes = values[::-1][:count], axes[:, ::-1][:, :count]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(count)])
    total = max(float((centred**2).sum()), 1e-300)
    return (centred @ axes).astype(np.float32), np.maximum(values, 0) / total
