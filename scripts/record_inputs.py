"""The files that the commands of record.txt read."""

from __future__ import annotations

import itertools
import pickle
import struct
from collections.abc import Iterator
from pathlib import Path

import polars as pl

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INTENTS = ("go to work", "eat", "do shopping", "do sports", "excursion", "leisure or entertainment")
INTENTS += ("medical treatment", "handle the trivialities of life")
INTENTS += ("banking and financial services", "cultural institutions and events")

PEOPLE = "uid,d,t,x,y\n1,1,0,5,6\n1,75,47,200,1\n2,60,3,999,999\n"
POINTS = """who,when,lat,lng
a,2020-03-02 08:00:00+09:00,39.7,116.1
b,2020-03-02 08:10:00+09:00,39.8,116.2
"""
POPULATION = """profile_id,education,gender,consumption,occupation,count
0,Bachelor's degree,man,medium,IT Engineer,40
1,uncertain,uncertain,uncertain,Online Sales,25
2,High school diploma,woman,slightly low,Warehousing,20
3,Master's degree,woman,high,Teacher,10
4,Doctoral degree,man,low,Beekeeper,5
"""
COUNTIES = """area_id,lat,lon,population
North,42.9,-74.0,30000
Middle,42.5,-74.1,120000
South,42.0,-73.9,60000
Lake,42.4,-75.0,9000
"""
COMMUTING = """origin,destination,flow
North,North,9000
North,Middle,4000
North,South,300
Middle,North,1500
Middle,Middle,50000
Middle,South,5000
Middle,Lake,200
South,Middle,8000
Lake,Middle,700
Lake,South,60
"""
GEOJSON = """{"type": "FeatureCollection", "features": [
{"type": "Feature", "id": "a", "properties": {"name": "Noodles", "amenity": "restaurant"},
 "geometry": {"type": "Point", "coordinates": [116.31, 39.91]}},
{"type": "Feature", "id": "b", "properties": {"name": "Lake Park", "leisure": "park"},
 "geometry": {"type": "Polygon", "coordinates":
 [[[116.30, 39.90], [116.32, 39.90], [116.32, 39.92], [116.30, 39.92], [116.30, 39.90]]]}}]}
"""
OSM = """<?xml version='1.0' encoding='UTF-8'?>
<osm version="0.6" generator="by hand">
 <node id="1" lat="60.00" lon="24.00"/><node id="2" lat="60.00" lon="24.02"/>
 <node id="3" lat="60.02" lon="24.02"/>
 <node id="10" lat="60.01" lon="24.01"><tag k="amenity" v="cafe"/><tag k="name" v="Corner"/></node>
 <node id="11" lat="60.01" lon="24.01"><tag k="amenity" v="bench; bar"/></node>
 <way id="20"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="1"/><tag k="shop" v="books"/></way>
</osm>
"""
STAYS = """uid,seq,start_min,end_min,place_id,lon,lat
1,0,0,540,home,116.31,39.91
1,1,570,1080,office,116.35,39.95
1,2,1110,1440,home,116.31,39.91
"""
TRACE = (
    '[["go to sleep", "(00:00, 07:30)", ["Home", 70]],'
    ' ["Go to work", "(9:21, 16:56)", ["Office", 71, 0.3, 120.0]]]'
)
PLT = (
    "Geolife trajectory\r\nWGS 84\r\nAltitude is in Feet\r\nReserved 3\r\n0,2,255,My Track\r\n0\r\n"
)


def write_inputs(folder: Path) -> None:
    """Write the files that commands take and none makes."""
    two = "place_id,name,category,intent,lat,lon\n"
    texts = {
        "old.csv": PEOPLE,
        "gps.csv": POINTS.replace("who,when", "uid,datetime"),
        "renamed.csv": POINTS,
        "tsmc.txt": "470\t49bb\t4bf5\tCaf\u00e9\t40.7\t-74.0\t-240\t"
        "Tue Apr 03 18:00:09 +0000 2012\n",
        "gowalla.txt": "0\t2010-10-19T23:55:27Z\t30.2359\t-97.7951\t22847\n",
        "geolife/001/Trajectory/a.plt": PLT + "40.0,116.3,0,-777,39745.9,2008-10-24,21:40:00\r\n",
        "copb_stays.csv": STAYS,
        "traces/trace_2_0.json": TRACE,
        "ids.csv": "place_id,lat,lon\n70,39.9,116.3\n71,39.95,116.35\n",
        "city.geojson": GEOJSON,
        "map.osm": OSM,
        "table.csv": "place_id,category,lat,lon\na,cafe,39.9,116.3\nb,bench,39.9,116.3\n",
        "mapping.csv": "category,intent\ncafe,excursion\n",
        "poi_cells.csv": "x,y,POIcategory,POI_count\n1,1,4,2\n7,9,60,1\n",
        "days_off.csv": "d,off\n70,1\n71,0\n",
        "population.csv": POPULATION,
        "places.csv": two + "".join(_places()),
        "pairs.csv": "home_lat,home_lon,work_lat,work_lon\n39.95,116.35,39.91,116.45\n"
        "39.86,116.42,39.93,116.38\n",
        "stays.csv": _visits(people=30, far=0.02),
        "generated.csv": _visits(people=40, far=0.03),
        "counties.csv": COUNTIES,
        "commuting.csv": COMMUTING,
        "bad_column.csv": "uid,d,t,x\n1,0,0,5\n",
        "bad_cell.csv": PEOPLE + "3,1,0,201,5\n",
        "bad_number.csv": PEOPLE + "3,1,a,20,5\n",
        "bad_repeat.csv": PEOPLE + "1,1,0,5,7\n",
        "bad_empty.csv": "",
        "bad_intent.csv": two + "a,,,swimming,39.9,116.4\n",
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, newline="")
    stays = {5: [[0.0, 0.25, 1, 12, [116.3, 39.9]], [0.5, 1.0, 1, 13, [116.4, 39.8]]]}
    (folder / "copb.pkl").write_bytes(pickle.dumps(stays))
    overture = {
        "id": ["a"],
        "geometry": [struct.pack("<BIdd", 1, 1, 24.9, 60.2)],
        "bbox": [{"xmin": 24.9, "xmax": 24.9, "ymin": 60.2, "ymax": 60.2}],
        "version": [1],
        "names": [{"primary": "Corner", "rules": None}],
        "confidence": [0.9],
        "categories": [{"primary": "cafe", "alternate": None}],
    }
    pl.DataFrame(overture).write_parquet(folder / "overture.parquet")
    foursquare = {
        "fsq_place_id": ["a"],
        "name": ["Corner"],
        "latitude": [60.2],
        "longitude": [24.9],
        "date_closed": [None],
        "fsq_category_labels": [["Dining and Drinking > Cafe, Coffee, and Tea House > Caf\u00e9"]],
    }
    schema = {"date_closed": pl.String}
    frame = pl.DataFrame(foursquare, schema_overrides=schema)
    frame.write_parquet(folder / "foursquare.parquet")


def _places() -> Iterator[str]:
    """Five places of each intent that is carried out away from home."""
    for number in range(5 * len(INTENTS)):
        lat, lon = 39.86 + 0.01 * (number % 10), 116.34 + 0.025 * (number // 10)
        yield f"p{number},,,{INTENTS[number % len(INTENTS)]},{lat:.3f},{lon:.3f}\n"


def _visits(people: int, far: float) -> str:
    """Two days of home, work up to ``far`` degrees away, a meal on every third day, home."""
    lines = ["uid,d,seq,intent,start_min,end_min,place_id,lat,lon"]
    for user, day in itertools.product(range(people), range(2)):
        home, work, late = 39.9 + 0.001 * user, 39.9 + far * (user % 7) / 7, 10 * (user % 5)
        stays = [("go to sleep", 0, 420 + late, f"h{user}", home)]
        stays += [("go to work", 480 + late, 1020, f"w{user % 7}", work)]
        if (user + day) % 3 == 0:
            stays += [("eat", 1060, 1120 + late, f"r{user % 2}", 39.91)]
        stays += [("go home", 1200, 1440, f"h{user}", home)]
        lines += [
            f"{user},{day},{seq},{intent},{start},{end},{place},{lat:.6f},116.3"
            for seq, (intent, start, end, place, lat) in enumerate(stays)
        ]
    return "\n".join(lines) + "\n"


def make_language_model(folder: Path) -> None:
    """Write a Llama of two layers and random weights, whose tokens are bytes."""
    import tokenizers  # noqa: PLC0415
    import torch  # noqa: PLC0415
    import transformers  # noqa: PLC0415

    torch.manual_seed(0)
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {c: i for i, c in enumerate([*alphabet, "<|im_start|>", "<|im_end|>"])}
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",  # noqa: S106
        additional_special_tokens=["<|im_start|>"],
        chat_template=CHAT,
    )
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.2,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
