"""Calibrates the planner of ``intend`` anew: ``python scripts/calibrate_planner.py FILE``.

FILE is humobctl/intend/planner/calibrated.json. It needs no data but the published
distributions that the program holds, and takes seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from humobctl.intend.planner.calibrate import calibrate

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(calibrate().as_json())
