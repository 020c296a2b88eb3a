"""Wherever a block ends, the rows and the places of faults are the same."""

from __future__ import annotations

import io
import json

import polars as pl
import pytest

from humobctl.io import text
from humobctl.io.read import iter_table, read_table
from humobctl.tables.schemas import PLACES
from tests.io.test_read import Save, complaint
from tests.messages import says


@pytest.mark.parametrize("block", [1, 2, 3, 5, 8, 13, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_block_boundaries(
    block: int, end: str, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", block)
    rows = [(1, 0, t, 100 + t, 7) for t in range(20)]
    lines = "uid,d,t,x,y\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)
    path = save(("\ufeff" + lines).replace("\n", end))
    assert read_table(path).rows() == rows
    bad = save((lines + "1,0,20,5,bad\n").replace("\n", end))
    says(complaint(bad), "a.csv", "row 21", "line 22", "column y", "'bad'")


@pytest.mark.parametrize("block", [1, 2, 5, 11, 1000])
def test_quotes_over_block_boundaries(
    block: int, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", block)
    names = ['a,"b"', "line\nline", "", "c", "\n", '""']
    buffer = io.BytesIO()
    pl.DataFrame({"place_id": ["p"] * 6, "name": names, "lat": 1, "lon": 2}).write_csv(buffer)
    frame = read_table(save(buffer.getvalue()), PLACES)
    assert [name or "" for name in frame["name"]] == names


@pytest.mark.parametrize("block", [40, 100, 1000])
def test_json_escapes_over_block_boundaries(
    block: int, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", block)
    names = ['5" pipe', 'a "b"', "c", 'd"', "e"]
    records = [{"place_id": "p", "name": name, "lat": 1.0, "lon": 2.0} for name in names]
    path = save("".join(json.dumps(record) + "\n" for record in records), "a.ndjson")
    batches = list(iter_table(path, PLACES))
    assert [name for batch in batches for name in batch["name"]] == names
    if block == 100:
        assert len(batches) > 2


def test_iterating_gives_batches(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 100)
    path = save("uid,d,t,x,y\n" + "".join(f"1,{d},0,5,6\n" for d in range(100)))
    batches = list(iter_table(path))
    assert len(batches) > 5
    assert pl.concat(batches)["d"].to_list() == list(range(100))


def test_a_line_that_does_not_end(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(text, "MAX_LINE_BYTES", 1 << 12)
    path = save('place_id,name,lat,lon\n1,a,1,2\n2,"b,1,2\n' + "3,c,1,2\n" * 1000)
    says(complaint(path, PLACES), "line 3", "found more than")
