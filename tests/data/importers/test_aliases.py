"""Column names of other programs."""

from __future__ import annotations

import pytest

from humobctl.errors import HumobError
from humobctl.tables.column_names import ALIASES, parse_columns, plain, roles
from tests.messages import raises


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # scikit-mobility
        (["uid", "datetime", "lat", "lng"], ["uid", "datetime", "lat", "lng"]),
        # trackintel
        (["user_id", "tracked_at", "latitude", "longitude"], None),
        (["userId", "timestamp", "lat", "lon"], None),
        (["agent_id", "checkin_time", "Latitude", "Longitude"], None),
        (["User ID", "Local time", "Latitude", "Longitude"], None),
        (["user", "time", "lat", "long"], None),
    ],
)
def test_names_of_the_field_are_known(names: list[str], expected: list[str] | None) -> None:
    found = roles(names)
    assert [found[role] for role in ("uid", "datetime", "lat", "lon")] == (expected or names)


def test_the_best_of_two_names_is_taken() -> None:
    assert roles(["time", "datetime", "user", "uid"]) == {"datetime": "datetime", "uid": "uid"}


def test_columns_go_before_the_table() -> None:
    found = roles(["uid", "who", "lat"], {"who": "uid", "lat": ""})
    assert found == {"uid": "who"}


def test_no_alias_stands_for_two_roles_and_all_are_in_plain_form() -> None:
    names = [name for aliases in ALIASES.values() for name in aliases]
    assert len(set(names)) == len(names)
    assert [plain(name) for name in names] == names


def test_columns_are_parsed_repeated_or_with_commas() -> None:
    assert parse_columns(["a=uid,b = lat", "c="]) == {"a": "uid", "b": "lat", "c": ""}
    with raises(HumobError, "--columns", "'a'", "NAME_IN_FILE=NAME"):
        parse_columns(["a"])


def test_columns_that_are_not_there_and_names_given_twice_are_errors() -> None:
    with raises(HumobError, "f.csv", "a, b", "'c'"):
        roles(["a", "b"], {"c": "uid"}, "f.csv")
    with raises(HumobError, "--columns", "uid", "a", "b"):
        roles(["a", "b"], {"a": "uid", "b": "user_id"})
