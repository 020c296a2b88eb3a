"""`--dry-run` says what a training takes, from steps that it takes."""

from __future__ import annotations

import pytest

from humobctl.training.estimate import estimate, size
from humobctl.training.recipe import Costs
from tests.training.test_session import Slow


class Known(Slow):
    """Steps of a hundredth of a second, and a heavy one that comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[int] = []

    def heaviest_step(self) -> int:
        return 3

    def try_step(self, number: int) -> None:
        self.tried.append(number)
        self.advance()

    def rehearse(self) -> Costs:
        return Costs(validation=60.0, finish=1000.0, memory=10**15)


def test_an_estimate_counts_reading_steps_validations_and_what_comes_after() -> None:
    training = Known()
    found = estimate(training, 100.0, checkpoint_seconds=300.0)
    assert training.tried == [3, 0, 1, 2, 3]
    assert found.step == pytest.approx(0.02, abs=0.05)
    assert found.total == pytest.approx(100 + 2 * 60 + 1000, abs=1)
    assert found.memory > 10**15
    text = str(found)
    assert "0:20:2" in text
    assert "0:16:40 of it after" in text
    assert size(found.model) == "0 kB"
    assert text.splitlines()[1].startswith("memory:")
