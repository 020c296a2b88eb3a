#!/usr/bin/env bash
# GPS points in a table of one's own to half-hour cells, and the cells described.
#
#   examples/gps_to_cells.sh POINTS.csv [GRID] > description.json
#
# POINTS.csv has user, time, latitude and longitude under any of the usual names. GRID is the cell
# size and the outer corner of cell (1, 1); here 500 m from 39.6 N 116.0 E (Beijing).
set -euo pipefail
points=$1
grid=${2:-500m@39.6,116.0}
humobctl data import "$points" --grid "$grid" --axes east,north --outside drop --to arrow |
    humobctl data describe
