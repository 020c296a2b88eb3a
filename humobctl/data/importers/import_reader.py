"""What all tables of other programs have in common: ids, decimal commas, longitudes, void rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.user_ids import UserNumbers, are_names
from humobctl.data.importers.void_rows import VoidRows
from humobctl.errors import TableError
from humobctl.io.read import Reader
from humobctl.io.row_errors import LineNumbers
from humobctl.tables.id_text import id_text, is_id_type

_COMMA = re.compile(r"'\s*-?\d+,\d+\s*'")


@dataclass
class ImportReader(Reader):
    """Reads numbers and user ids as the options say.

    Attributes:
        options: what was asked for.
        notes: things to say when all is read.
        void: rows at latitude 0, longitude 0.
        numbers: numbers of users, where the table knows users by number and the file by name.
    """

    options: ImportOptions = field(default_factory=ImportOptions)
    notes: list[str] = field(default_factory=list)
    void: VoidRows = field(default_factory=VoidRows)
    numbers: UserNumbers | None = None
    looked: bool = False

    def __post_init__(self) -> None:
        """Take over what was asked for."""
        self.void.keep = self.options.keep_zero

    def users(self) -> list[tuple[int, str]]:
        """Numbers and names of users, where they were numbered; once all is read."""
        return self.numbers.users() if self.numbers else []

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches; a fault that an option reads names the option.

        Raises:
            HumobError: a fault.
        """
        try:
            yield from super().batches()
        except TableError as exc:
            raise self._explain(exc) from exc.__cause__
        self.notes += self.void.notes()

    def _nothing(self) -> str:
        return "no row but void ones at 0, 0" if self.void.count else super()._nothing()

    def _explain(self, error: TableError) -> TableError:
        """The error in the names of the file, and with the option that would help."""
        hint = ""
        dtype = self.table.dtypes.get(error.column or "")
        if dtype == pl.Float64 and _COMMA.fullmatch(error.found):
            hint = "; --decimal-comma reads it"
        elif error.column == "lon" and _is_east_of_180(error.found):
            hint = "; --wrap-longitude reads 0 to 360"
        return error.with_words(expected=error.expected + hint)

    def _cast(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        frame = self._with_numbers(frame)
        dtypes = self.table.dtypes
        if self.options.decimal_comma:
            numeric = [name for name, dtype in dtypes.items() if dtype == pl.Float64]
            frame = frame.with_columns(
                pl.col(name).str.replace(",", ".", literal=True)
                for name in numeric
                if frame.schema[name] == pl.String
            )
        typed, places = super()._cast(frame, places)
        if "lon" not in dtypes:
            return typed, places
        if self.options.wrap_longitude:
            east = pl.col("lon").is_between(180, 360, closed="right")
            typed = typed.with_columns(lon=pl.when(east).then(pl.col("lon") - 360).otherwise("lon"))
        # Visits are no measurements: what made them knew where they were.
        return (typed, places) if "start_min" in dtypes else self.void.left_out(typed, places)

    def _with_numbers(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Users by number, where the first rows show that most ids are names."""
        if self.table.dtypes.get("uid") != pl.UInt32 or frame.schema["uid"] == pl.UInt32:
            return frame
        uids = frame["uid"]
        if not self.looked and frame.height and is_id_type(uids.dtype):
            self.looked = True
            self.numbers = self.numbers or (UserNumbers() if are_names(uids) else None)
        if self.numbers is None:
            return frame
        return frame.with_columns(self.numbers.codes(id_text(uids)).alias("uid"))


def _is_east_of_180(text: str) -> bool:
    try:
        return 180 < float(text) <= 360
    except ValueError:
        return False
