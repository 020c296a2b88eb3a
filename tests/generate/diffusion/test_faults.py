"""What a training of days warns of: moves to the same place, no short ones, too many visits."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.generate.diffusion import faults
from humobctl.generate.diffusion.faults import find_faults, warn_of_faults
from humobctl.tables.stays import Stays
from tests.messages import says


def days(*east: tuple[float, ...]) -> Stays:
    """Days at points on a line, in metres."""
    uid = np.repeat(np.arange(len(east)), [len(one) for one in east])
    zero, flat = np.zeros(len(uid), np.int32), np.concatenate([np.array(one) for one in east])
    intent = np.zeros(len(uid), np.int8)
    return Stays(uid, zero, zero, zero, zero.astype(np.int64), flat, 0.0 * flat, intent)


def test_faults_of_sampled_days(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    real = days((0.0, 400.0, 5000.0), (5000.0, 0.0))
    monkeypatch.setattr(faults, "real_stays", lambda known: known)
    sampled = days((10.0, -20.0, 4980.0), (0.0, 5000.0, 0.0, 5000.0, 5001.0, 2.0, 7.0, 4000.0))
    found = find_faults(sampled, real, real)
    # Of nine moves those at 0, 5000 and 0 again are of no length once they are at places.
    assert found["to_itself"] == pytest.approx(3 / 9)
    assert (found["to_itself_real"], found["short"]) == (0, 0)
    assert found["short_real"] == pytest.approx(1 / 3)
    assert (found["visits_a_day"], found["visits_a_day_real"]) == (5.5, 2.5)
    warn_of_faults(found)
    said = capsys.readouterr().err
    says(said, "warning", "33.3%", "to itself", "real days 0.0%")
    says(said, "warning", "0.0%", "0.6 km", "33.3%")
    says(said, "warning", "5.5 visits", "2.5")
    warn_of_faults(find_faults(real, real, real))
    assert not capsys.readouterr().err
