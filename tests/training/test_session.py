"""What a training says while it lasts, and what it remembers after the last step."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from humobctl.console import report
from humobctl.training import session
from humobctl.training.distributed import Group
from humobctl.training.recipe import Costs, Memo, Training, TrainingPlan
from humobctl.training.session import run_training
from tests.messages import says


class Slow(Training):
    """Steps of a 50th of a second, validations of a fifth; 1,000 seconds come after the last."""

    def __init__(self) -> None:
        self.plan = TrainingPlan(steps=4, evaluate_every=2, unit="rows", batch=8)

    def advance(self) -> None:
        time.sleep(0.02)
        self.step, self.loss = self.step + 1, 2.5

    def collect_losses(self) -> dict[str, float]:
        return {"loss": 2.5}

    def note(self) -> dict[str, float]:
        return {}

    def save(self, path, numbers, *, write) -> None:
        path.write_text("state")

    def restore(self, path) -> dict[str, float]:
        raise NotImplementedError

    def sizes(self) -> tuple[int, int]:
        return 100, 50

    def validate(self) -> dict[str, float]:
        time.sleep(0.2)
        return {"score": 1.0}

    def rehearse(self) -> Costs:
        return Costs(validation=0.2, finish=1000.0)


def test_a_line_says_steps_loss_rate_and_the_time_left_with_what_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(report.LINES_VARIABLE, raising=False)
    monkeypatch.setattr(report, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(report, "_BEAT_SECONDS", 0.02)
    monkeypatch.setattr(session, "_REHEARSE_AFTER", 0.0)
    run_training(Slow(), lambda record: "score 1", tmp_path, Group())
    lines = capsys.readouterr().err.splitlines()
    for beginning in ("training, loss 2.5000: 3 of 4", "validation, loss 2.5000: 4 of 4"):
        (line, *_) = (one for one in lines if one.startswith(beginning))
        says(line, "steps (", "steps/s", "0:16:40 left")
    assert sum(one.startswith("validation,") for one in lines) > 4, "it speaks while it validates"
    (line, *_) = (one for one in lines if one.startswith("step 4/4"))
    says(line, "score 1", "rows/s")


@pytest.mark.parametrize(
    ("done", "seconds", "text"), [(8, 4000.0, "500.0 s per row"), (8, 2.0, "4.0 rows/s")]
)
def test_a_rate_is_never_zero(done: float, seconds: float, text: str) -> None:
    assert report.rate(done, seconds, "rows") == text


def test_what_was_found_after_the_last_step_is_found_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer() -> list[float]:
        asked.append("blend")
        return [0.1, 2 / 3]

    for _ in range(2):
        assert Memo(tmp_path / "finish.json").once("blend 0.5", answer) == [0.1, 2 / 3]
    assert asked == ["blend"]
