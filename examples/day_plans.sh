#!/usr/bin/env bash
# Day plans of a synthetic city's people, what each part of the chain does for them, and scores.
#
#   examples/day_plans.sh [FOLDER [PEOPLE]] > scores.csv
#
# With a table of profiles and counts (CoPB's has profile_id, education, gender, consumption,
# occupation, count), leave out the first step and give intend that table and --count.
set -euo pipefail
folder=${1:-$(mktemp -d)}
people=${2:-500}
mkdir -p "$folder"
cd "$folder"

# Who they are.
humobctl data synth --users "$people" --days 1 --seed 1 --profiles profiles.csv --output city.csv

# A week of them, and the same week without a part of the chain.
humobctl intend profiles.csv --days 7 --output week.parquet --report week.json
for part in attitude norm control; do
    humobctl intend profiles.csv --days 7 --without "$part" --output "without_$part.parquet"
done

# How far each is from the distributions that CoPB published.
humobctl eval week.parquet without_*.parquet --format csv
