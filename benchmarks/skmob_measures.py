"""scikit-mobility's own measures of points; run by a Python that has it (see ``skmob_flows``).

Reads the path of a CSV file (uid, datetime, lat, lng, sorted) from the command line; writes JSON:
for each measure the seconds it took and its value of each user, in the order of uid.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
import skmob  # noqa: E402
from skmob.measures import individual  # noqa: E402

MEASURES = (
    "radius_of_gyration",
    "k_radius_of_gyration",
    "maximum_distance",
    "distance_straight_line",
    "max_distance_from_home",
    "number_of_locations",
    "random_entropy",
    "uncorrelated_entropy",
    "real_entropy",
)


def main() -> None:
    frame = pd.read_csv(sys.argv[1], parse_dates=["datetime"])
    track = skmob.TrajDataFrame(frame, user_id="uid")
    found = {}
    for name in MEASURES:
        start = time.perf_counter()
        values = getattr(individual, name)(track, show_progress=False)
        seconds = time.perf_counter() - start
        values = values.sort_values("uid")
        found[name] = {"seconds": seconds, "values": values.iloc[:, -1].astype(float).tolist()}
    json.dump(found, sys.stdout)


main()
