"""The picture of a training: a single evaluation is seen."""

from __future__ import annotations

import pytest

from humobctl.generate.diffusion.plot import write_plot
from tests.plots.svg import texts


def test_a_single_evaluation_has_a_marker(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    lines = '{"step": 10, "loss": 1.5}\n{"step": 20, "loss": 1.2, "jsd": 0.3}\n'
    (tmp_path / "metrics.jsonl").write_text(lines)
    write_plot(str(tmp_path), str(tmp_path / "a.svg"), "a $flow$")
    found = texts(tmp_path / "a.svg")
    assert {"a $flow$", "1 evaluation", "loss", "step"} <= set(found)
    # Two points of the loss, one of the evaluation.
    lines = (tmp_path / "a.svg").read_text().split('<g id="line2d')
    marked = [line for line in lines if "fill: #0072b2" in line]
    assert sum(line.count("<use ") for line in marked) == 3
