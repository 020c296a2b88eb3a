"""Names of databases and of tables in them."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import parse_qs, urlsplit, urlunsplit

from humobctl.errors import HumobError, UsageError

IfExists = Literal["fail", "append", "replace"]
POSTGRES = ("postgresql://", "postgres://")
DUCKDB = (".duckdb", ".ddb")
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")


def display(path: str) -> str:
    """The path as messages name it: without a password."""
    parts = urlsplit(path)
    if not path.startswith(POSTGRES):
        return parts.path
    user, at, host = parts.netloc.rpartition("@")
    return urlunsplit((parts.scheme, user.partition(":")[0] + at + host, parts.path, "", ""))


def split_table(path: str) -> tuple[str, str]:
    """The path without ``table=NAME``, and the name."""
    parts = urlsplit(path)
    names = parse_qs(parts.query).get("table", [])
    if len(names) != 1 or not _NAME.fullmatch(names[0]):
        found = f"the table {names[0]!r}" if names else "no table"
        raise UsageError(
            f"{display(path)}: found {found}, expected ?table=NAME at the end (NAME or "
            "SCHEMA.NAME, of letters, digits and _)"
        )
    rest = "&".join(one for one in parts.query.split("&") if not one.startswith("table="))
    return urlunsplit(parts._replace(query=rest)), names[0]


def quote(name: str) -> str:
    """A name, or SCHEMA.NAME, as SQL has it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def only_table(names: list[str], path: str) -> str:
    """The one table of a database.

    Raises:
        UsageError: there is none, or there are several.
    """
    if len(names) != 1:
        listed = f"the tables {', '.join(names)}" if names else "no table"
        raise UsageError(
            f"{display(path)}: found {listed}, expected one table or --query, such as 'SELECT * …'"
        )
    return names[0]


def refuse_table(*, there: bool, if_exists: IfExists, path: str, name: str) -> None:
    """Refuse to write into an existing table without ``--if-exists``.

    Raises:
        HumobError: it is there.
    """
    if there and if_exists == "fail":
        raise HumobError(
            f"{display(path)}: found a table {name}, expected a new name; --if-exists append adds "
            "rows to it, --if-exists replace overwrites it"
        )
