"""What the fuzzers begin with: small inputs of every kind, mostly the tests' example files."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import zstandard

from tests import conftest

_HERE = Path(__file__).parent
GRID = "uid,d,t,x,y\n1,0,3,10,20\n1,0,4,999,999\n2,74,47,200,1\n"
GPS = "user,datetime,lat,lng\nann,2023-09-04 08:00:00,39.91,116.31\nbob,2023-09-04T09:10:00Z,39.9,116.3\n"
TSMC = "7\tv1\tc1\tBar\t40.7\t-74.0\t-240\tTue Apr 03 18:00:09 +0000 2012\n"
GOWALLA = "0\t2010-10-19T23:55:27Z\t30.235909\t-97.795139\t22847\n"
GEOLIFE = "Geolife trajectory\nWGS 84\nAltitude is in Feet\nReserved 3\n0,2,255,My Track,0,0,2,8421376\n0\n39.906,116.385,0,492,39745.0,2008-10-24,02:09:59\n"
TDRIVE = "1,2008-02-02 15:36:08,116.51172,39.92123\n1,2008-02-02 15:46:08,116.51135,39.93883\n"
PORTO = '"TRIP_ID","CALL_TYPE","TAXI_ID","TIMESTAMP","MISSING_DATA","POLYLINE"\n"13726","C","20000589","1372636858","False","[[-8.61,41.14],[-8.62,41.15]]"\n'
TRACKINTEL = "id,user_id,started_at,finished_at,geom\n0,7,2023-01-01 22:00:00+09:00,2023-01-02 07:30:00+09:00,POINT (139.7 35.6)\n"
STAY_LIST = '{"1": [[["home", 1, 0], ["go to work", 2, 540]]]}'
TRACE = '[[0, 540, "go to work", "p1"], [600, 900, "eat", "p2"]]'
POICAT = "x,y,POIcategory,POI_count\n1,2,3,4\n"
OSM = '<?xml version="1.0"?>\n<osm version="0.6"><node id="1" lat="60.1" lon="24.9"><tag k="amenity" v="cafe"/><tag k="name" v="Ab"/></node></osm>\n'
FOURSQUARE = "fsq_place_id,name,latitude,longitude,fsq_category_labels,date_closed\na,Ab,40.7,-74.0,Dining and Drinking > Bar,\n"
SFT = "model_name_or_path: m\nlora_rank: 8\nlearning_rate: 1e-4\nbf16: true\nval_size: 0.1\n"
TOML = 'preset = "tiny"\nepochs = 2\nlearning_rate = 1e-3\ndropout = 0.1\nsteps = 3\nseed = 1\n'
CONFIG = '{"type": "ranker", "version": "0.1.0", "seed": 1, "nested": {"a": [1, null, true]}}'
DECISION = '{"intent": "eat", "travel_minutes": 5, "hours": 1, "minutes": 10, "reason": "Hunger."}'
RANKED = '{"ranking": ["eat", "go home", "do sports"], "intent": "eat", "travel_minutes": "5", "hours": 1, "minutes": 10, "reason": "x"}'
ATTITUDE = '{"preferences": ["eat", "do sports", "go home"], "reason": "A quiet life."}'
NORM = '{"get_up": "7:00", "duty_from": "9:00", "duty_to": "18:00", "bedtime": "23:00", "routine": "x"}'
ENTRY = '{"key": "abababababababababababababababab", "reply": "x", "fault": "", "prompt_tokens": 1, "completion_tokens": 2}\n'
RECORD = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
NAMED = (
    '<?xml version="1.0"?><gpx><wpt lat="1" lon="2"/><trk><trkseg><trkpt lat="60.1" lon="24.9">'
    "<time>2023-01-02T08:00:00Z</time></trkpt></trkseg></trk></gpx>",
    "1\t2008-10-01 00:05:00\t139.7\t35.6\t99\n",
    "trail_id,user_id,venue_id,latitude,longitude,venue_category,venue_city,timestamp\n"
    "9,12,77,35.6,139.7,Bar,Q1,2018-01-05 19:20:00\n",
    "caid,utc_timestamp,latitude,longitude,horizontal_accuracy\na,1672646400,60.1,24.9,4.5\n",
    "user_id,time,geom\na,2023-01-02 08:00,SRID=3857;POINT (2775000 8437000)\n",
    '[["go to sleep","(00:00, 08:12)"],["eat","(9:01, 18:00)"]]',
    "[[116.3, 39.9], [116.3, 39.9]]\n[[116.3, 39.9], [116.3, 39.9]]\n",
)
ALPACA = (
    '[{"system": "s", "instruction": "a", "input": null, "output": "b", "history": [["c", "d"]]}]'
)
SHARE_GPT = '{"system": "s", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}\n'


def tables() -> list[str]:
    """Tables of all kinds as CSV."""
    return [
        *(GRID, GPS, POICAT, FOURSQUARE, conftest.POPULATION, conftest.PAIRS, conftest.STAYS),
        *(conftest.COUNTIES, conftest.COMMUTING),
        "d,off\n0,1\n1,0\n",
        "place_id,name,category,intent,lat,lon\np1,Ab,cafe,eat,39.9,116.3\n",
        "uid,d,seq,intent,start_min,end_min,reason\n1,0,0,go to sleep,0,420,x\n",
        "uid,d,seq,intent,start_min,end_min,place_id,lat,lon\n1,0,0,eat,0,420,p,39.9,116.3\n",
        "file,uid,metric,edition,value,low,high\na.csv,,geobleu,humob24,0.3,,\n",
        "lat,lon,density\n39.9,116.3,12.5\n",
    ]


def packed() -> list[bytes]:
    """A grid trajectory in every format, plain and compressed."""
    frame = pl.read_csv(io.StringIO(GRID))
    made = [GRID.encode(), GRID.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + GRID.encode()]
    writers: tuple[Callable[[io.BytesIO], object], ...] = (
        frame.write_ndjson,
        frame.write_parquet,
        frame.write_ipc,
        frame.write_ipc_stream,
        frame.write_json,
    )
    for write in writers:
        buffer = io.BytesIO()
        write(buffer)
        made.append(buffer.getvalue())
    made += [gzip.compress(GRID.encode()), zstandard.compress(GRID.encode())]
    return made


def geographic() -> list[bytes]:
    """Points in files of GIS programs."""
    names = ("geoarrow.arrow", "geopandas_wkb.parquet", "movingpandas.geojson", "pyogrio.fgb")
    folder = _HERE.parent / "tests/data/importers/files"
    return [(folder / name).read_bytes() for name in names]


def vectors() -> list[bytes]:
    """Embeddings as npy, safetensors, Parquet and CSV, each with the byte that chooses it."""
    from safetensors.numpy import save

    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    npy, parquet = io.BytesIO(), io.BytesIO()
    np.save(npy, values)
    pl.DataFrame({"uid": [1, 2], "embedding": values}).write_parquet(parquet)
    tensors = save({"embedding": values, "uid": np.array([1, 2], np.int64)})
    wide = b"uid,e0,e1\n1,0.5,0.25\n2,1,2\n"
    return [
        bytes([n]) + b for n, b in enumerate((npy.getvalue(), tensors, parquet.getvalue(), wide))
    ]


def pickled() -> list[bytes]:
    """Pickles of data frames, and one that wants to run something."""
    folder = _HERE.parent / "tests/data/importers/pickles"
    evil = b"cos\nsystem\n(S'true'\ntR."
    return [*(path.read_bytes() for path in sorted(folder.glob("*.pkl"))), evil]


def _chosen(texts: list[str] | list[bytes], choices: range) -> Iterator[bytes]:
    """Each text with every choice: which fits it, the first byte must not guess."""
    for number, text in enumerate(texts):
        raw = text.encode() if isinstance(text, str) else text
        yield bytes([choices[number % len(choices)]]) + raw
        yield b"\0" + raw
        yield b"\x80" + raw


def seeds(name: str) -> list[bytes]:
    """Inputs of a target, with the byte that chooses among its ways."""
    imports = [
        *tables()[:4],
        TDRIVE,
        PORTO,
        TRACKINTEL,
        TSMC,
        GOWALLA,
        GEOLIFE,
        STAY_LIST,
        TRACE,
        conftest.STAYS,
        *NAMED,
    ]
    options = [
        *("60-74", "Asia/Shanghai", "2019-09-15", "500m@39.6,116.0", "x=east,y=north"),
        *("who=uid when=datetime", "attitude norm", "day:0.5", "0.3", "history"),
    ]
    settings: dict[str, tuple[list[str] | list[bytes], range]] = {
        "table": ([*(t.encode() for t in tables()), *packed()], range(16)),
        "import": (
            [*(t.encode() for t in imports), *packed(), *pickled()[:2], *geographic()],
            range(24),
        ),
        "places": ([conftest.GEOJSON, OSM, POICAT, FOURSQUARE, *tables()[10:11], GPS], range(8)),
        "rules": (
            ["category,intent\ncafe,eat\nshop=*,do shopping\n", "amenity=bar,eat\n"],
            range(1),
        ),
        "stays": ([*tables(), *imports], range(2)),
        "areas": ([conftest.COUNTIES, conftest.COMMUTING, conftest.GEOJSON], range(2)),
        "population": (
            [conftest.POPULATION, conftest.POPULATION.replace("profile_id", "uid")],
            range(2),
        ),
        "pickles": (pickled(), range(1)),
        "settings": ([TOML, "steps = 3\n", 'preset = "small"\n'], range(3)),
        "factory": ([SFT, json.dumps({"lora_rank": 8, "bf16": True})], range(2)),
        "answers": (
            [ATTITUDE, NORM, DECISION, RANKED, f"<think>x</think>```json\n{DECISION}\n```"],
            range(4),
        ),
        "journal": ([ENTRY, ENTRY * 2, ENTRY[:-9]], range(1)),
        "records": ([RECORD, RECORD * 2, ALPACA, SHARE_GPT], range(1)),
        "options": (options, range(10)),
    }
    if name == "embeddings":
        return vectors()
    if name == "model-dir":
        return [
            b"\1" + CONFIG.encode(),
            b"\3" + b'{"model_type": "llama"}',
            b"\2" + vectors()[1][1:],
        ]
    return list(_chosen(*settings[name]))
