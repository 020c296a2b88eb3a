"""The picture of a training: a single evaluation is seen."""

from __future__ import annotations

import pytest

from humobctl.training.plot import curves_of, write_plot
from tests.plots.svg import texts


def test_a_single_evaluation_has_a_marker(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    lines = '{"step": 10, "loss": 1.5}\n{"step": 20, "loss": 1.2, "jsd": 0.3}\n'
    (tmp_path / "metrics.jsonl").write_text(lines)
    write_plot(str(tmp_path), str(tmp_path / "a.svg"), source="train x", title="a $flow$")
    found = texts(tmp_path / "a.svg")
    assert {"a $flow$", "20 steps, 1 evaluation", "loss", "step"} <= set(found)
    # Two points of the loss, one of the evaluation.
    lines = (tmp_path / "a.svg").read_text().split('<g id="line2d')
    marked = [line for line in lines if "fill: #0072b2" in line]
    assert sum(line.count("<use ") for line in marked) == 3


def test_validation_stands_beside_training_and_members_beside_each_other() -> None:
    records = [
        {"step": 1, "loss": 2.0, "learning_rate": 0.1, "grad_norm": 9.0, "epoch": 0.5},
        {"step": 1, "eval_loss": 3.0, "eval_geobleu": 0.4},
    ]
    assert curves_of(records) == {
        "loss": {"training": [(1, 2.0)], "validation": [(1, 3.0)]},
        "GEO-BLEU": {"validation": [(1, 0.4)]},
    }
    members = [{"step": at, "loss": 1.0 / at, "member": at - 1} for at in (1, 2)]
    assert curves_of(members) == {"loss": {"member 1": [(1, 1.0)], "member 2": [(2, 0.5)]}}
