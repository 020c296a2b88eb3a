"""What tests ask of messages: what they name, and where, in whatever words.

A name is what the user must find in the message: a file, a value, a flag, a package, a word for
the fault. ``"row 2"``, ``"line 3"`` and ``"column lat"`` are names too. Each stands for itself:
7 is not found in 17, in 7.5 or in -7, ``lat`` not in ``latitude``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Run

Name = str | float


def says(text: str, *names: Name) -> None:
    """Assert that one line of a text has all the names, in any order."""
    lines = [[name for name in names if not _stands_in(line, name)] for line in text.splitlines()]
    missing = min(lines, key=len, default=list(names))
    assert text, f"nothing was said, expected {names}"
    assert not missing, f"{missing} not named in: {text}"


def fails(run: Run, *names: Name, code: int = 1, notes: bool = False) -> None:
    """Assert that a command ended with this code and one error, which has all the names.

    ``notes``: other lines may come before the error.
    """
    assert run.code == code, f"exit code {run.code}, expected {code}: {run.err}"
    *before, last = run.err.splitlines() or [""]
    assert last.startswith("error: "), f"the last line is not an error: {run.err}"
    assert not any(line.startswith("error: ") for line in before), f"several errors: {run.err}"
    assert notes or not before, f"more than the error: {run.err}"
    says(last.removeprefix("error: "), *names)


@contextmanager
def raises(
    kind: type[BaseException], *names: Name
) -> Iterator[pytest.ExceptionInfo[BaseException]]:
    """Assert that the block raises such an error, of one line that has all the names."""
    with pytest.raises(kind) as caught:
        yield caught
    text = str(caught.value)
    assert "\n" not in text, f"more than one line: {text}"
    says(text, *names)


def _stands_in(line: str, name: Name) -> bool:
    """Whether a name stands in a line for itself; numbers in any of the usual forms."""
    number = isinstance(name, int | float)
    forms = {str(name), f"{name:,}", f"{name:.1f}", f"{name:g}"} if number else {name}
    return any(re.search(_pattern(form), line) for form in forms)


def _pattern(name: str) -> str:
    place = re.fullmatch(r"(row|line|column) (.+)", name)
    if place:
        return rf"\b{place[1]}\W+{_pattern(place[2])}"
    pattern = re.escape(name)
    if name[:1].isdigit():
        pattern = r"(?<![\s('\"]-)" + pattern
    if re.match(r"\w|-", name):
        pattern = r"(?<!\w)(?<!\d[.,])" + pattern
    if name[-1:].isalnum():
        pattern += r"(?!\w)(?![.,]\d)"
    return pattern + (r"(?!-\w)" if name.startswith("--") else "")
