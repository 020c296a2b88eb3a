"""Two models' distributions mixed, and the weight that validation rows ask for."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.predict.base import PredictOptions, SlotDistributions
from humobctl.predict.baselines.history import History
from humobctl.predict.blend import Blended, best_weight, mix
from tests.predict.helpers import city, user

A = SlotDistributions(np.array([[1, 1], [2, 2]], np.int32), np.array([[0.5, 0.5], [1.0, 0.0]]))
B = SlotDistributions(np.array([[3, 3], [2, 2]], np.int32), np.array([[1.0, 0.0], [0.2, 0.8]]))


def test_a_mixture_by_hand():
    both = mix(A, B, 0.25)
    assert both.cells.tolist() == [[1, 1], [2, 2], [3, 3]]
    np.testing.assert_allclose(both.p, [[0.375, 0.375, 0.25], [0.75, 0.2, 0.05]])


class _Fixed:
    """Puts a share on the true cell, (5, 5), and the rest on another."""

    def __init__(self, share: float) -> None:
        self.share = share

    def distribution(self, user):
        p = np.tile([self.share, 1 - self.share], (len(user.target_d), 1))
        return SlotDistributions(np.array([[5, 5], [9, 9]], np.int32), p)


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        # A score at weight w; the history model alone has that at 1.
        (lambda w: [1 - (w - 0.4) ** 2, 1 - (w - 0.4) ** 2], 0.4),
        # Nothing is gained: the history model alone.
        (lambda w: [1.0 + w, 1.0], 1.0),
        # The score that gains least decides, and gains are relative: 1 % of the first at 0.2 and
        # 2 % of the second at 0.6 do not help the other one; at 0.4 both gain half a per cent.
        (
            lambda w: [100 + (w == 0.2) + (w == 0.4) / 2, 1 + (w == 0.6) / 50 + (w == 0.4) / 200],
            0.4,
        ),
        # Minus kilometres are scores, too.
        (lambda w: [-30 - 10 * abs(w - 0.8)], 0.8),
    ],
)
def test_the_weight_at_which_scores_gain_most(scores, wanted):
    assert best_weight(lambda w: np.array(scores(w)), np.array(scores(1.0))) == wanted


def test_a_weight_of_one_is_the_history_model():
    someone = user([(d, 20, 5, 5 + d % 3) for d in range(10)], [(11, 20), (12, 30)])
    found = Blended(_Fixed(1.0), city(days=20), 1.0).distribution(someone)
    wanted = History(city(days=20), PredictOptions()).distribution(someone)
    kept = found.p.max(axis=0) > 0
    assert found.cells[kept].tolist() == wanted.cells.tolist()
    np.testing.assert_allclose(found.p[:, kept], wanted.p)
