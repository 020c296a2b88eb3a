"""People of time-use surveys and censuses as profiles: ATUS, IPUMS, the American Community Survey.

What columns and codes mean stands in ``surveys.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import dataframely as dy
import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.extra_columns import SeparatedReader
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.probe import InputProbe, look_at
from humobctl.data.synth.people import CONSUMPTION
from humobctl.errors import HumobError, TableError
from humobctl.io.row_errors import OnError
from humobctl.io.streams import Input, open_input
from humobctl.tables.schemas import NOT_EMPLOYED, POPULATION, PROFILES, Table

SURVEYS = ("atus", "ipums-atus", "ipums-usa", "acs")
YOUNGEST = 15
"""Years; younger people are left out, as in the American Time Use Survey."""
UNKNOWN = "uncertain"
_CODED = ("gender", "education", "employment", "occupation")
_OTHERS = {"cpsid", "country"}
"""Columns of IPUMS CPS and International, whose codes are others."""
_NUMBERS = ("age", "income", "weight")
_SHOWN = {
    "gender": "gender",
    "education": "education",
    "employment": "who works",
    "occupation": "occupation",
    "income": "consumption (by rank)",
    "weight": "count",
}
_LEVELS = ("low", "slightly low", "medium", "slightly high", "high")


class SurveyPerson(dy.Schema):
    """A person of a survey or census, or one of the rows about that person."""

    household = dy.String(nullable=True)
    member = dy.String(nullable=True)
    weight = dy.Float64(nullable=True)
    age = dy.Float64(nullable=True)
    gender = dy.Float64(nullable=True)
    education = dy.Float64(nullable=True)
    employment = dy.Float64(nullable=True)
    income = dy.Float64(nullable=True)
    occupation = dy.Float64(nullable=True)


PEOPLE = Table("survey", SurveyPerson)


@dataclass(frozen=True)
class Codebook:
    """What a survey's columns and codes are.

    Attributes:
        columns: attribute -> names of columns in small letters, the better one first.
        values: attribute -> (lowest code, highest code, value or None) of each range.
    """

    columns: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, list[tuple[int, int, str | None]]] = field(default_factory=dict)

    def decode(self, attribute: str, codes: pl.Series) -> tuple[pl.Series, pl.Series]:
        """The values of codes (null: not known), and the codes that stand in no range."""
        ranges = self.values.get(attribute, [])
        within = [codes.is_between(low, high).fill_null(value=False) for low, high, _ in ranges]
        value = pl.Series(attribute, [None], pl.String).extend_constant(None, codes.len() - 1)
        strange = codes.is_not_null()
        for here, (_, _, name) in zip(within, ranges, strict=True):
            value = value.zip_with(~here, pl.Series([name], dtype=pl.String))
            strange &= ~here
        return value, codes.filter(strange)


@cache
def codebook(survey: str) -> Codebook:
    """The codes of a survey from ``surveys.csv``."""
    text = files("humobctl.data.importers").joinpath("surveys.csv").read_text()
    book = Codebook()
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        if row["value"] == "columns":
            book.columns[row["attribute"]] = row[survey].split()
            continue
        ranges = book.values.setdefault(row["attribute"], [])
        for part in row[survey].split():
            low, _, high = part.partition("..")
            ranges.append((int(low), int(high or low), row["value"] or None))
    return book


def find_survey(columns: Collection[str] | None) -> str | None:
    """The survey whose columns these are; None for none of them."""
    names = {name.lower() for name in columns or ()}
    if names & _OTHERS or {"education", "occupation"} <= names:
        return None
    for survey in SURVEYS:
        keys = ("household",) if survey == "atus" else ("household", "member")
        if all(names & set(codebook(survey).columns[key]) for key in keys):
            return survey
    return None


def is_survey(look: InputProbe, _: ImportOptions) -> bool:
    """Whether the columns are those of a survey."""
    return find_survey(look.columns) is not None


def open_survey(look: InputProbe, options: ImportOptions) -> Opened:
    """The people of a survey as profiles."""
    source = look.file("a table of people")
    people = SurveyPeople(source, look.columns or [], look.separator, options.on_error)
    words = f"people of a survey ({people.survey})"
    dropped = people.reader.dropped
    return Opened(people.table, people.batches(), words, people.notes, dropped, people.users)


def read_survey(path: str | None, on_error: OnError) -> pl.DataFrame:
    """The people of a survey as profiles; what was found and left out is said.

    Raises:
        HumobError: the file cannot be read, or says nothing of people.
    """
    source = open_input(path)
    try:
        opened = open_survey(look_at(source), ImportOptions(on_error=on_error))
        people = pl.concat(list(opened.batches))
    finally:
        source.close()
    report.info(f"{source.name}: {opened.words}: {'; '.join(opened.notes)}")
    return people


@dataclass
class _SurveyReader(SeparatedReader):
    """Takes the columns that it knows."""

    def _rename_columns(self, frame: pl.DataFrame) -> pl.DataFrame:
        found = {attribute: name for name, attribute in self.rename.items()}
        return frame.select(
            (pl.col(found[name]) if name in found else pl.lit(None)).alias(name)
            for name in self.table.columns
        )


class SurveyPeople:
    """Reads a survey.

    Args:
        source: the opened input.
        columns: its columns.
        separator: between the fields of text.
        on_error: stop at the first bad row, or drop bad rows.

    Raises:
        HumobError: the columns say nothing of people.
    """

    def __init__(
        self, source: Input, columns: list[str], separator: str, on_error: OnError
    ) -> None:
        self.survey = find_survey(columns) or SURVEYS[0]
        self.notes: list[str] = []
        self._book, self._names = codebook(self.survey), list[str]()
        small = {name.lower(): name for name in columns}
        self._column = {
            attribute: next((small[name] for name in names if name in small), "")
            for attribute, names in self._book.columns.items()
        }
        if not any(self._column[name] for name in ("gender", "education", "employment")):
            raise HumobError(
                f"{source.name}: found no column of sex, education or employment ({self.survey}), "
                "expected a table of people, not of activities or households alone"
            )
        self.table = POPULATION if self._column["weight"] else PROFILES
        renamed = {name: attribute for attribute, name in self._column.items() if name}
        self.reader = _SurveyReader(source, PEOPLE, on_error, renamed, separator, unique=False)

    def users(self) -> list[tuple[int, str]]:
        """Number and name of each person, once all is read."""
        return list(enumerate(self._names))

    def batches(self) -> Iterator[pl.DataFrame]:
        """All people of ``YOUNGEST`` years or more, numbered from 0; weights are counts.

        Raises:
            HumobError: the file cannot be read, or has no person of that age.
        """
        rows = self._rows()
        numbers = rows.with_columns(self._amounts(name) for name in _NUMBERS)
        if self._column["member"]:
            numbers = numbers.filter(pl.col("member").is_not_null())
        people = numbers.unique(["household", "member"], keep="first", maintain_order=True)
        grown = people.filter((pl.col("age") >= YOUNGEST).fill_null(value=True))
        if not grown.height:
            file = self.reader.source.name
            raise HumobError(f"{file}: found no person of {YOUNGEST} years or more")
        called = pl.concat_str("household", "member", separator="-", ignore_nulls=True)
        self._names = grown.select(called).to_series().to_list()
        found = grown.with_columns(self._values(name, grown[name]) for name in _CODED)
        self._say_columns()
        self._say_rows(rows.height, people.height, found)
        yield found.select(self._as_profiles()).select(self.table.columns)

    def _rows(self) -> pl.DataFrame:
        try:
            return pl.concat(list(self.reader.batches()))
        except TableError as exc:
            raise exc.with_words(column=self._column.get(exc.column or "")) from exc.__cause__

    def _values(self, attribute: str, codes: pl.Series) -> pl.Series:
        """The values of an attribute's codes; unknown codes are noted."""
        value, strange = self._book.decode(attribute, codes)
        if len(strange):
            self.notes.append(
                f"{pluralize(len(strange), 'code')} of {self._column[attribute]} not known, such "
                f"as {strange[0]:g}: {UNKNOWN}"
            )
        return value

    def _amounts(self, attribute: str) -> pl.Expr:
        """The numbers of a column without those that stand for no answer."""
        ranges = self._book.values.get(attribute, [])
        none = pl.any_horizontal(
            pl.lit(value=False),
            *(pl.col(attribute).is_between(low, high) for low, high, _ in ranges),
        )
        return pl.when(~none).then(attribute).alias(attribute)

    def _as_profiles(self) -> list[pl.Expr]:
        """The columns of profiles, from values and numbers."""
        shares = np.cumsum([CONSUMPTION[level] for level in _LEVELS])
        rank = (pl.col("income").rank("average") - 0.5) / pl.col("income").count()
        level = rank.cut((shares[:-1] / shares[-1]).tolist(), labels=list(_LEVELS))
        jobless = pl.col("employment") == NOT_EMPLOYED
        values = {
            "education": pl.col("education"),
            "gender": pl.col("gender"),
            "consumption": level.cast(pl.String),
            "occupation": pl.when(jobless).then("employment").otherwise("occupation"),
        }
        return [
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("uid"),
            *(value.fill_null(UNKNOWN).alias(name) for name, value in values.items()),
            *(pl.lit(None, pl.Float64).alias(name) for name in PROFILES.optional),
            pl.col("weight").fill_null(0).round().cast(pl.UInt32).alias("count"),
        ]

    def _say_columns(self) -> None:
        """What came from which column, and what is missing."""
        found = [f"{what} from {self._column[a]}" for a, what in _SHOWN.items() if self._column[a]]
        self.notes.insert(0, ", ".join(found))
        lacking = [
            f"{what} ({' or '.join(name.upper() for name in self._book.columns[attribute])})"
            for attribute, what in _SHOWN.items()
            if not self._column[attribute] and attribute != "weight"
        ]
        if lacking:
            self.notes.insert(1, f"{UNKNOWN} for want of a column: {', '.join(lacking)}")

    def _say_rows(self, rows: int, people: int, found: pl.DataFrame) -> None:
        """Further rows of the same people, who was left out, and what weights are for."""
        if rows > people:
            self.notes.append(f"{pluralize(rows - people, 'row')} more about the same households")
        if people > found.height:
            young = people - found.height
            self.notes.append(f"{pluralize(young, 'row')} of people under {YOUNGEST} left out")
        if self._column["weight"]:
            self.notes.append(
                f"the weights stand for {found['weight'].sum():,.0f} people, from whom 'intend "
                "--count' draws"
            )
