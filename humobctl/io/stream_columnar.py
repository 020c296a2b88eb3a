"""Batches streamed into one Parquet or Arrow file, without holding them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from humobctl.errors import HumobError, system_reason
from humobctl.io.outputs import Format


def sink(
    batches: Iterable[pl.DataFrame],
    kind: Format,
    place: Path,
    schema: Mapping[str, pl.DataType],
    name: str,
    *,
    metadata: dict[str, str] | None = None,
) -> None:
    """Stream batches into a Parquet or Arrow file; an error of theirs comes out as itself.

    Args:
        batches: frames of ``schema``.
        kind: parquet or arrow.
        place: file to write.
        schema: columns and types.
        name: of the output, for messages.
        metadata: of a Parquet file.
    """
    raised: list[BaseException] = []

    def produce(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        try:
            for batch in batches:
                yield batch.select(columns) if columns is not None else batch
        except BaseException as exc:
            raised.append(exc)
            raise

    frames = register_io_source(produce, schema=schema)
    try:
        if kind == "parquet":
            frames.sink_parquet(place, maintain_order=True, metadata=metadata)
        else:
            frames.sink_ipc(place, compression="zstd", maintain_order=True)
    except BaseException as exc:
        if raised:
            raise raised[0] from None
        if isinstance(exc, pl.exceptions.PolarsError):
            raise HumobError(f"{name}: {system_reason(str(exc))}") from exc
        raise
