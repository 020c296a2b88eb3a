"""The attacks see what breaks; they themselves run by ``make attack``, for minutes."""

from __future__ import annotations

from attack import inputs, kills, models
from attack.workers import watch
from humobctl.tables import schemas
from tests.attempt import attempt


def test_a_process_that_dies_is_a_finding_and_replaced() -> None:
    seen = watch(range(1, 6), attempt)
    assert (seen.tried, seen.refused) == (5, 2)
    assert seen.findings == {2: "died with exit code -6", 3: "KeyError: 3"}


def test_every_number_is_the_same_input_again() -> None:
    for label in inputs.FORMATS:
        assert inputs._made(label, 7, seed=1) == inputs._made(label, 7, seed=1)
        assert inputs._made(label, 7, seed=1) != inputs._made(label, 8, seed=1)


def test_every_bad_value_is_refused_once() -> None:
    """A value that is good for its column would be accepted: one of each kind of table is tried."""
    kinds = [value for value in vars(schemas).values() if isinstance(value, schemas.Table)]
    first = [next(inputs.bad_tables(table)) for table in kinds]
    assert len({table.name for table, *_ in first}) > 10
    assert all(inputs.is_refused(*bad) for bad in first)


def test_the_ends_of_commands_are_judged(tmp_path) -> None:
    assert kills._fault(0, "") == []
    assert kills._fault(1, "error: cut.csv: found a model dir, expected a new name") == []
    assert kills._fault(1, "internal: KeyError")
    assert models._faults(tmp_path, 1, "error: model: auto_map") == []
    assert models._faults(tmp_path, 1, "internal: KeyError")
    (tmp_path / "RAN").touch()
    assert models._faults(tmp_path, 0, "")
