"""What a Shapefile asks for: short names, texts of 254 bytes, several files, or one ZIP of them.

Source: ESRI's Shapefile technical description (1998) and dBASE's limits as GDAL keeps them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError, UsageError
from humobctl.io.size_limits import check_bytes

PARTS = (".dbf", ".shx")
"""Files without which a ``.shp`` cannot be read."""
_BESIDE = (*PARTS, ".prj", ".cpg")
_STALE = (".qix", ".sbn", ".sbx")
"""Indexes of other programs, which would be those of the file that was there before."""
_LONGEST_NAME, _LONGEST_TEXT = 10, 254
_SHORT = {
    "destination": "dest",
    "destination_lat": "dest_lat",
    "destination_lon": "dest_lon",
    "duration_min": "durat_min",
    "home_confidence": "home_conf",
    "work_confidence": "work_conf",
}
_LONG = {
    **{short: name for name, short in _SHORT.items()},
    **{name[:_LONGEST_NAME]: name for name in ("finished_at", "consumption")},
}


def short_names(names: Iterable[str]) -> dict[str, str]:
    """A name of at most 10 characters for each column, no two of them equal."""
    short: dict[str, str] = {}
    for name in names:
        first = tried = _SHORT.get(name, name[:_LONGEST_NAME])
        number = 1
        while tried.lower() in map(str.lower, short.values()):
            tried = f"{first[: _LONGEST_NAME - 1 - len(str(number))]}_{number}"
            number += 1
        short[name] = tried
    return short


def long_names(names: list[str]) -> list[str]:
    """The names of columns that a Shapefile cut, where they are ours."""
    return [name if _LONG.get(name, name) in names else _LONG.get(name, name) for name in names]


def plain_columns(frames: Iterable[pl.DataFrame], names: dict[str, str]) -> Iterator[pl.DataFrame]:
    """Frames as a Shapefile holds them: names, times as text, texts of 254 bytes.

    Texts that are cut are counted.
    """
    cut = 0
    for frame in frames:
        texts = frame.with_columns(
            pl.col(pl.Datetime).dt.to_string("iso:strict"), pl.col(pl.Boolean).cast(pl.UInt8)
        )
        long = [name for name, kind in texts.schema.items() if kind == pl.String]
        cut += sum(int((texts[name].str.len_bytes() > _LONGEST_TEXT).sum()) for name in long)
        yield texts.with_columns(_shorten(name) for name in long).rename(names, strict=False)
    if cut:
        report.warn(f"cut {pluralize(cut, 'text')} to the {_LONGEST_TEXT} bytes of a Shapefile")


def _shorten(name: str) -> pl.Expr:
    """Texts of at most so many bytes; a character that does not fit whole goes."""
    whole = pl.col(name).str.len_bytes() <= _LONGEST_TEXT
    cut = pl.col(name).map_elements(
        lambda text: text.encode()[:_LONGEST_TEXT].decode(errors="ignore"), pl.String
    )
    return pl.when(whole).then(name).otherwise(cut).alias(name)


def say_names(names: dict[str, str], name: str) -> None:
    """Say which columns have other names in the file."""
    changed = [f"{old} is {new}" for old, new in names.items() if old != new]
    if changed:
        report.info(f"{name}: names in a Shapefile have 10 characters: {', '.join(changed)}")


def place_parts(made: Path, place: Path, target: Path) -> None:
    """Put the files of a Shapefile where they belong; the ``.shp`` goes to ``place``.

    Args:
        made: the ``.shp``, its other files beside it.
        place: what becomes the target when all is done.
        target: the output. One that is no ``.shp`` gets them as a ZIP archive.

    Raises:
        HumobError: files of the other parts' names are there, of no Shapefile.
    """
    beside = [made.with_suffix(part) for part in _BESIDE if made.with_suffix(part).exists()]
    if target.suffix.lower() != ".shp":
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in (made, *beside):
                packed.write(file, file.name)
        return
    taken = [file.name for file in map(target.with_suffix, _BESIDE) if file.exists()]
    if taken and not target.exists():
        raise HumobError(f"{target}: found {', '.join(taken)} where its parts go, expected none")
    for file in beside:
        file.replace(target.with_suffix(file.suffix))
    for part in _STALE:
        target.with_suffix(part).unlink(missing_ok=True)
    made.replace(place)


def is_zip(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a ZIP archive."""
    return head[:4] == b"PK\x03\x04"


def inside_zip(path: Path, name: str, asked: str | None) -> str:
    """What GDAL calls the Shapefile in a ZIP archive.

    Args:
        path: of the archive.
        name: of the input, for messages.
        asked: name of the layer; None for the only one.

    Raises:
        HumobError: it holds none, several, or more than it may unpack to.
        UsageError: it holds no such layer.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            files = [one for one in packed.infolist() if not one.filename.startswith("__MACOSX/")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as exc:
        raise HumobError(
            f"{name}: found a damaged ZIP archive ({exc}), expected a whole one"
        ) from exc
    layers = {
        Path(one.filename).stem: one.filename
        for one in files
        if one.filename.lower().endswith(".shp")
    }
    if not layers:
        held = ", ".join(one.filename for one in files[:5]) or "nothing"
        raise HumobError(
            f"{name}: found a ZIP archive of {held}, expected plain, .gz or .zst data, or a "
            "Shapefile in it; unpack it first"
        )
    if asked is not None and asked not in layers:
        raise UsageError(f"--layer: found {asked!r}, expected one of {name}: {', '.join(layers)}")
    if asked is None and len(layers) > 1:
        raise HumobError(
            f"{name}: found the Shapefiles {', '.join(layers)}, expected one; 'data import "
            "--layer' names it"
        )
    inner = layers[asked or next(iter(layers))]
    stem = inner[: -len(".shp")].lower()
    own = [one for one in files if one.filename.lower().rpartition(".")[0] == stem]
    missing = [p for p in PARTS if stem + p not in {one.filename.lower() for one in own}]
    if missing:
        raise HumobError(
            f"{name}: found {inner} without its {' and '.join(missing)}, expected them"
        )
    check_bytes(sum(one.file_size for one in own), path.stat().st_size, name)
    return f"/vsizip/{{{path.absolute()}}}/{inner}"
