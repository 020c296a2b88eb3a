"""Which category of place serves which of the twelve intents: tables of rows, and looking up.

A mapping is a CSV file of ``category,intent``. ``osm.csv``, ``overture.csv``, ``foursquare.csv``
and ``humob.csv`` beside this file are those of the project; a user's has the same form. Rows are
asked in their order, and the first that matches decides. ``*`` in a category is any text, an empty
intent says that it is not a destination in itself, and lines that begin with ``#`` are comments.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from humobctl.errors import HumobError, TableError
from humobctl.io.csv_records import CLOSED, OPEN_QUOTE, records, split_record
from humobctl.io.row_errors import quote
from humobctl.io.streams import clear_read_errors, open_input
from humobctl.tables.schemas import INTENTS

VOCABULARIES = ("osm", "foursquare", "overture", "humob")
"""Names of the project's own tables, in the order in which a table of no known origin asks them."""
_HEADER = ["category", "intent"]
_ANY = "*"
_LEVEL = ">"


@dataclass(frozen=True)
class Rule:
    """One row: a category, which may hold ``*``, and the intent it serves (None: no place)."""

    category: str
    intent: str | None


@dataclass(frozen=True)
class Found:
    """What a mapping says of a place.

    Attributes:
        category: the one of its categories that decided, or its first where none did.
        intent: one of the twelve, or None.
        decided: whether there is a row for it.
    """

    category: str
    intent: str | None
    decided: bool


def plain_category(text: str) -> str:
    """A category as it is compared: ``Café > Tea Room`` is ``cafe>tea_room``."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    levels = (re.sub(r"[\s_-]+", "_", level.strip()) for level in bare.casefold().split(_LEVEL))
    return _LEVEL.join(levels)


class Mapping:
    """Rows in their order, ready to be asked.

    Args:
        rules: the rows; the first that matches decides.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = list(rules)
        self._exact: dict[str, int] = {}
        self._patterns: list[tuple[int, re.Pattern[str]]] = []
        self._known: dict[str, int | None] = {}
        for row, rule in enumerate(self.rules):
            category = plain_category(rule.category)
            if _ANY in category:
                parts = map(re.escape, category.split(_ANY))
                self._patterns.append((row, re.compile(".*".join(parts), re.DOTALL)))
            else:
                self._exact.setdefault(category, row)

    def find(self, categories: Sequence[str], *, together: bool = False) -> Found:
        """What is said of a place of these categories.

        Args:
            categories: the most telling first, at least one; ``A > B`` also stands for ``A``.
            together: none is more telling than another, as with the tags of an OSM object: those
                of no intent fall away, and the earliest row decides.
        """
        listed = [level for category in categories for level in _levels(category)]
        rows = [
            (row, at) for at, level in enumerate(listed) if (row := self._row(level)) is not None
        ]
        if not rows:
            return Found(categories[0], None, decided=False)
        serving = [(row, at) for row, at in rows if self.rules[row].intent]
        row, at = min(serving or rows) if together else rows[0]
        return Found(listed[at], self.rules[row].intent, decided=True)

    def _row(self, category: str) -> int | None:
        if category not in self._known:
            self._known[category] = self._first(plain_category(category))
        return self._known[category]

    def _first(self, category: str) -> int | None:
        exact = self._exact.get(category, len(self.rules))
        for row, pattern in self._patterns:
            if row > exact:
                break
            if pattern.fullmatch(category):
                return row
        return exact if exact < len(self.rules) else None

    def tag_keys(self) -> list[str]:
        """The OSM keys that rows name, in their order."""
        named = (rule.category.partition("=") for rule in self.rules)
        found = (key.strip() for key, sign, _ in named if sign and _ANY not in key)
        return list(dict.fromkeys(found))


def _levels(category: str) -> Iterator[str]:
    """A category and those above it, the most specific first."""
    yield category
    while _LEVEL in category:
        category = category.rpartition(_LEVEL)[0].rstrip()
        yield category


def parse_rules(text: str, name: str) -> list[Rule]:
    """The rows of a mapping file.

    Args:
        text: the whole file.
        name: its name, for messages.

    Raises:
        TableError: a row that is none, an intent that is none of the twelve, a category twice.
        HumobError: another header, or no row.
    """
    # Lines are counted, so what is not a row becomes an empty one.
    lines = [
        "" if line.lstrip().startswith("#") else line
        for line in text.removeprefix("\ufeff").splitlines()
    ]
    header: list[str] | None = None
    rules: dict[str, Rule] = {}
    body = "".join(f"{line}\n" for line in lines).encode()
    for before, record in records(body, ",", len(_HEADER)):
        if record is None:
            raise TableError(name, OPEN_QUOTE, CLOSED, line=before + 1)
        cells = [field.strip() for field in split_record(record.decode(), ",")]
        if not any(cells):
            continue
        if header is None:
            header = [cell.lower() for cell in cells]
            if header != _HEADER:
                raise HumobError(
                    f"{name}: found the columns {', '.join(cells)}, expected category, intent"
                )
            continue
        rule = _rule(cells, name, before + 1)
        category = plain_category(rule.category)
        if category in rules:
            raise TableError(
                name,
                f"{rule.category} a second time",
                "each category once",
                line=before + 1,
                column="category",
            )
        rules[category] = rule
    if not rules:
        raise HumobError(f"{name}: found no row, expected rows of category,intent")
    return list(rules.values())


def _rule(cells: list[str], name: str, line: int) -> Rule:
    if len(cells) != len(_HEADER):
        raise TableError(name, f"{len(cells)} fields", "2 (category, intent)", line=line)
    category, intent = cells
    if not category:
        raise TableError(name, "nothing", "a category", line=line, column="category")
    if intent and intent.lower() not in INTENTS:
        raise TableError(
            name,
            quote(intent),
            f"nothing, or one of the twelve intents ({', '.join(INTENTS)})",
            line=line,
            column="intent",
        )
    return Rule(category, intent.lower() or None)


def read_rules(path: str) -> list[Rule]:
    """The rows of a user's mapping file.

    Raises:
        HumobError: it cannot be read, or ``parse_rules`` refuses it.
    """
    source = open_input(path)
    try:
        with clear_read_errors(source.name):
            raw = source.stream.read()
    finally:
        source.close()
    try:
        text = raw.decode()
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise TableError(
            source.name, f"byte 0x{raw[exc.start]:02x}", "UTF-8 text", line=line
        ) from None
    return parse_rules(text, source.name)


def own_rules(*vocabularies: str) -> list[Rule]:
    """The rows of the project's own tables, one table after the other."""
    rules: list[Rule] = []
    for name in vocabularies:
        path = Path(__file__).with_name(f"{name}.csv")
        rules += parse_rules(path.read_text(encoding="utf-8"), path.name)
    return rules


def mapping_for(path: str | None, *vocabularies: str) -> Mapping:
    """The rows of a user's file, where there is one, before those of the project's own tables."""
    user = read_rules(path) if path is not None else []
    return Mapping([*user, *own_rules(*vocabularies)])
