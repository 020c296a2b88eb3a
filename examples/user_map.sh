#!/usr/bin/env bash
# Vectors of a synthetic city's users, learnt from half of them; scores of the other half on standard
# output, and a map of all as a file for a browser.
# usage: user_map.sh [FOLDER] [USERS] [PRESET]      (needs humobctl[torch,explore])
set -euo pipefail
folder=${1:-map} users=${2:-300} preset=${3:-small}
mkdir -p "$folder"
humobctl data synth --users "$users" --output "$folder/city.parquet"
humobctl train embedder "$folder/city.parquet" --preset "$preset" --train-fraction 0.5 \
    --output "$folder/embedder"
humobctl embed "$folder/city.parquet" --model "$folder/embedder" --output "$folder/users.parquet"
humobctl explore "$folder/users.parquet" "$folder/city.parquet" --export "$folder/map.html"
humobctl eval embedding "$folder/city.parquet" --model "$folder/embedder"
