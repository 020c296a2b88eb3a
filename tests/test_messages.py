"""What the checks of messages find, and what they must not take for it."""

from __future__ import annotations

import pytest

from tests.conftest import Run
from tests.messages import fails, raises, says

FAULT = "a.csv: row 2 (line 3), column lat: found 91.0, expected -90 to 90 (9,000 rows); --max-row"


@pytest.mark.parametrize(
    "name", ["a.csv", "row 2", "line 3", "column lat", 91, "91.0", -90, 90, 9000, "--max-row"]
)
def test_what_a_message_names(name: str | float) -> None:
    says(f"step 1\n{FAULT}\n", name, "expected")


@pytest.mark.parametrize(
    "name",
    [
        *("b.csv", "csv.gz", "row 3", "line 2", "rows 2", "column la", "column lon"),
        *(9, 1, 0, 9.1, -91, 900, "--max", "ro", "--max-rows", "step"),
    ],
)
def test_what_a_message_does_not_name(name: str | float) -> None:
    with pytest.raises(AssertionError, match="not named in"):
        says(f"step 1\n{FAULT}\n", name, "expected")


def test_a_number_is_not_its_negative() -> None:
    says("found -1, expected 1", 1)
    with pytest.raises(AssertionError):
        says("found -1, expected 0", 1)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "error: a.csv\n"),
        (2, "error: a.csv\n"),
        (1, ""),
        (1, "a.csv\n"),
        (1, "error: b.csv\n"),
        (1, "error: x\nerror: a.csv\n"),
        (1, "error: a.csv\ntoo much\n"),
        (1, "too much\nerror: a.csv\n"),
    ],
)
def test_a_failure_is_one_error_and_its_code(code: int, text: str) -> None:
    fails(Run(1, "", "error: a.csv\n", b""), "a.csv")
    with pytest.raises(AssertionError):
        fails(Run(code, "", text, b""), "a.csv")


def test_notes_may_come_before() -> None:
    fails(Run(2, "", "step 1\nerror: a.csv\n", b""), "a.csv", code=2, notes=True)


def test_an_error_is_of_its_kind_and_of_one_line() -> None:
    with raises(ValueError, "a.csv") as caught:
        raise ValueError("no a.csv")
    assert str(caught.value) == "no a.csv"
    for text in ("b.csv", "a.csv\nand more"):
        with pytest.raises(AssertionError), raises(ValueError, "a.csv"):
            raise ValueError(text)
