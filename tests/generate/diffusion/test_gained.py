"""What a training of days gained: beside distances drawn from the days that were learnt."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.generate.diffusion.data import HOME_CLASS, OTHER_CLASS, WORK_CLASS, Known, Layout
from humobctl.generate.diffusion.decode import real_stays
from humobctl.generate.diffusion.gained import draw_distances, say_gained
from tests.messages import says


def known(days: int, work_km: float, other_km: float) -> Known:
    """Days at home, at work and at another place, on a line to the east."""
    start = np.tile([0, 540, 1080], days)
    places = np.tile([[0.0, 0.0], [work_km, 0.0], [work_km + other_km, 0.0]], (days, 1))
    return Known(
        layout=Layout(3 * np.arange(days + 1), start, start + 300),
        person=np.arange(days),
        place_class=np.tile(np.array([HOME_CLASS, WORK_CLASS, OTHER_CLASS], np.int8), days),
        intent=np.full(3 * days, -1, np.int8),
        category=np.full(3 * days, -1, np.int8),
        relative=1000 * places,
        home=np.tile([[7000.0, 0.0]], (days, 1)),
    )


def test_distances_are_those_of_the_training_days(capsys: pytest.CaptureFixture[str]) -> None:
    learnt, asked = known(20, 5.0, 2.0), known(20, 5.0, 2.0)
    law = draw_distances(asked, learnt, seed=0)
    at = np.column_stack([law.east, law.north]).reshape(20, 3, 2)
    np.testing.assert_allclose(at[:, 0], np.tile([7000.0, 0.0], (20, 1)))
    np.testing.assert_allclose(np.linalg.norm(at[:, 1] - at[:, 0], axis=1), 5000)
    np.testing.assert_allclose(np.linalg.norm(at[:, 2] - at[:, 1], axis=1), 2000)
    far = real_stays(known(20, 15.0, 9.0))
    found = say_gained(far, real_stays(asked), asked, learnt, seed=0)["compared"]
    assert found["law of distances"]["jump_distance"] == 0 < found["diffusion"]["jump_distance"]
    assert found["gained"]["jump_distance"]["low"] > 0
    said = capsys.readouterr().err
    says(said, "20 days", "not trained on")
    says(said, "warning", "jump distance", "not decidedly nearer")
