#!/usr/bin/env bash
# The whole path of a HuMob submission, on a synthetic city: describe, mask, predict, check, score.
#
#   examples/humob_baseline.sh [FOLDER [USERS]]
#
# With data of the challenge, leave out the first and the third step and use its files instead.
set -euo pipefail
folder=${1:-$(mktemp -d)}
users=${2:-50}
mkdir -p "$folder"
cd "$folder"

# A city with days 0-74, and what it looks like.
humobctl data synth --users "$users" --seed 1 --output city.csv.gz
humobctl data describe city.csv.gz > description.json

# The challenge: days 60-74 are hidden.
humobctl data mask city.csv.gz --from-day 60 --output challenge.csv.gz

# The baseline, and the check that the organisers run before they score.
humobctl predict challenge.csv.gz --model history --decode geobleu --output submission.csv.gz
humobctl predict challenge.csv.gz --validate submission.csv.gz

# The scores of every user and day in a file, and the means on standard output.
humobctl eval submission.csv.gz --truth city.csv.gz --detail detail.parquet
