import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.tables.plane import Plane, plane_through


def test_a_degree_of_latitude_is_111_km_and_of_longitude_half_of_it_at_60_degrees():
    east, north = Plane(60.0, 24.0).metres(np.array([61.0, 60.0]), np.array([24.0, 25.0]))
    assert north == pytest.approx([111_195.08, 0], abs=0.01)
    assert east == pytest.approx([0, 111_195.08 / 2], abs=0.01)


def test_the_shorter_way_round_is_taken():
    east, _ = Plane(0.0, 179.9).metres(np.array([0.0]), np.array([-179.9]))
    assert east == pytest.approx([0.2 * 111_195.08], abs=0.01)


def test_the_middle_of_points_on_both_sides_of_the_date_line():
    plane = plane_through(np.array([1.0, 2.0, 3.0]), np.array([179.0, -179.5, -179.0]))
    assert (plane.lat, plane.lon) == pytest.approx((2.0, -179.5))


@given(st.floats(-80, 80), st.floats(-180, 180), st.floats(-5e4, 5e4), st.floats(-5e4, 5e4))
def test_there_and_back(lat: float, lon: float, east: float, north: float):
    plane = Plane(lat, lon)
    back = plane.metres(*plane.degrees(np.array([east]), np.array([north])))
    assert np.ravel(back) == pytest.approx([east, north], abs=1e-3)
