"""Writes the pickles of this folder; run it with pandas 1.5.3, 2.2.3 and 3.0.0 in turn.

They have the shapes of CoPB's data sets: {user: [a frame a day, ...]} and [a frame, ...].
"""

from __future__ import annotations

import datetime
import pickle
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent / "pickles"
COLUMNS = [
    "User ID",
    "Venue ID",
    "Venue category name",
    "Latitude",
    "Longitude",
    "Local time",
    "General Category",
]
FIRST = [
    (7, "v1", "Café", 35.7, 139.7, "2012-04-03 18:00:09", "eat"),
    (7, "v2", "Home", 35.68, 139.75, "2012-04-03 23:10:00", "go home"),
]
SECOND = [(7, "v3", "Office", 35.69, 139.69, "2012-04-04 09:00:00", "go to work")]
OTHER = [(9, "v1", "Café", 35.7, 139.7, "2012-04-05 08:30:00", "eat")]


def day(rows, zone=None):
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame["Local time"] = pd.to_datetime(frame["Local time"])
    if zone is not None:
        frame["Local time"] = frame["Local time"].dt.tz_localize(zone)
    return frame


def save(name, value, protocol=4):
    path = HERE / f"{name}_{pd.__version__}.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))


save("foursquare", {7: [day(FIRST), day(SECOND)], 9: [day(OTHER)]})
nine = datetime.timezone(datetime.timedelta(hours=9))
save("aware", {7: [day(FIRST, "Asia/Tokyo")], 9: [day(OTHER, nine)]})
steps = pd.DataFrame(
    {
        "Latitude": [39.9, 39.9, 40.0],
        "Longitude": [116.3, 116.3, 116.4],
        "General Category": pd.Categorical(["go home", "go home", "eat"]),
    }
)
save("tencent", [steps, steps])
odd = day(FIRST)
odd = odd[odd["Latitude"] > 35.69].reset_index(drop=True)
odd["Local time"] = odd["Local time"].astype(object)
odd["n"] = 1
save("odd", [odd], protocol=2)
