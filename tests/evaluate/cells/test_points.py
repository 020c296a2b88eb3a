"""Scores of points by their distance, and that each metric is named where options are told."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.evaluate.cells.points import POINT_METRICS
from humobctl.evaluate.flows.run import FLOW_NAMES
from humobctl.evaluate.registry import GENERATED_NAMES, INTENTION_NAMES, NAMES
from tests.conftest import Cli
from tests.messages import says

KM = np.array([0.0, 0.5, 1.0, 3.0])
BY_HAND = {
    "accuracy": [1, 0, 0, 0],
    "distance": [0, 0.5, 1, 3],
}


@pytest.mark.parametrize("name", POINT_METRICS)
def test_scores_by_hand(name: str) -> None:
    assert POINT_METRICS[name].scores(KM).tolist() == BY_HAND[name]


def test_each_metric_is_named_in_the_help(cli: Cli) -> None:
    told = " ".join(cli("eval", "--help").out.split())
    says(told, *NAMES, *INTENTION_NAMES, *GENERATED_NAMES, *FLOW_NAMES)
