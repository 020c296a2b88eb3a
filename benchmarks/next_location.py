"""Next locations: check-ins of New York by GETNext's protocol, HuMob's cells, GeoLife's stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

import humobctl as hm
from benchmarks.harness import DATA, WORK, markdown

METRICS = ("acc@1", "acc@5", "acc@10", "acc@20", "mrr")
MODELS = {
    "most frequent": "most-frequent",
    "Markov, order 1": "markov",
    "Markov, order 2": "markov-2",
    "ranker": "next-ranker",
    "GRU and copy": "next-gru",
}
LIST = 100
"""Candidates a record: places beyond have reciprocal rank 0 here."""


def sources() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Tables by name, with what differs from the protocol."""
    stays = WORK / "geolife_stays.parquet"
    if not stays.exists():
        hm.stays(DATA / "geolife/geolife_sample.txt.gz", output=stays)
    checkins = pl.read_parquet(DATA / "foursquare-nyc/checkins.parquet")
    return {
        "New York": (checkins.rename({"poi_id": "place_id"}), {}),
        "HuMob B": (DATA / "humob/cityB_100users.csv.gz", {}),
        "HuMob C": (DATA / "humob/cityC_100users.csv.gz", {}),
        "GeoLife": (stays, {"min_place_visits": 2}),
    }


def prepare(name: str, table: Any, options: dict[str, Any], *, gru: bool) -> Path:
    """Split a table and train models on its first part."""
    folder = WORK / f"next_{name.replace(' ', '_')}"
    if (folder / "test.parquet").exists():
        return folder
    folder.mkdir(exist_ok=True)
    files = {part: folder / f"{part}.parquet" for part in ("train", "validation", "test")}
    hm.split(table, task="next", **files, **options)
    hm.train_next(files["train"], folder / "next-ranker", overwrite=True)
    if gru:
        hm.train_next_gru(files["train"], folder / "next-gru", overwrite=True)
    return folder


def scores(folder: Path, targets: str, models: dict[str, str]) -> hm.Scores:
    """Scores of the test part, all models beside the first one."""
    ranked = {}
    for name, model in models.items():
        found = folder / model
        ranked[name] = hm.predict(
            folder / "test.parquet",
            task="next",
            history=folder / "train.parquet",
            model=found if found.exists() else model,
            targets=targets,
            top_k=LIST,
        )
    return hm.evaluate(ranked, folder / "test.parquet", metric=list(METRICS), pairs="first")


def table() -> str:
    """Acc@k and MRR with intervals; differences from Markov's first order."""
    rows = []
    with hm.quiet():
        for name, (source, options) in sources().items():
            large = name != "GeoLife"
            folder = prepare(name, source, options, gru=name == "New York")
            order = ["Markov, order 1", *(one for one in MODELS if one != "Markov, order 1")]
            models = {one: MODELS[one] for one in order}
            if name != "New York":
                models.pop("GRU and copy")
            for targets in ("next", "last") if large and name == "New York" else ("next",):
                rows += _rows(name, targets, scores(folder, targets, models))
    return markdown(
        ["data", "records", "model", *METRICS, "Acc@1 minus Markov", "MRR minus Markov"], rows
    )


def _rows(name: str, targets: str, found: hm.Scores) -> list[list[str]]:
    rows = []
    for record in found.to_dict():
        values = {one["metric"]: one for one in record["scores"]}
        apart = {one["metric"]: one for one in record.get("differences", [])}
        rows.append(
            [
                name,
                f"{record['targets']:,} {targets}",
                record["file"],
                *(_number(values[metric]["value"]) for metric in METRICS),
                *(_apart(apart.get(metric)) for metric in ("acc@1", "mrr")),
            ]
        )
    return rows


def _apart(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    low, high = found["interval"]
    if low is None:
        return f"*{found['difference']:+.3f}*"
    text = f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
    return text if found["better"] is not None else f"*{text}*"


def _number(value: float) -> str:
    return f"{value:.4f}".lstrip("0")
