"""Bytes in and out: standard streams, compression, and files that appear only when whole."""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from humobctl.console import signals
from humobctl.console.near_misses import meant_file, meant_value
from humobctl.errors import HumobError, TableError, UsageError, reason, system_reason
from humobctl.io.frame_path import FramePath
from humobctl.io.output_lock import behind_links, note_input, reserve
from humobctl.io.outputs import Format
from humobctl.io.parquet_dataset import DatasetFile, parquet_parts
from humobctl.io.size_limits import Bounded, Counted, asked_bytes, check_bytes
from humobctl.io.transcoded import Transcoded, wide_encoding
from humobctl.io.vector_files import VECTOR_KINDS, Layer, VectorKind, vector_kind

Kind = (
    Literal["csv", "ndjson", "json", "parquet", "arrow", "arrow-stream", "pickle"]
    | Literal["osm-pbf", "osm-xml", "gpx"]
    | VectorKind
)
IN_PLACE = ("parquet", "arrow", "arrow-stream", *VECTOR_KINDS)
"""Kinds whose names of columns stand anywhere in the file."""

STANDARD = "-"
_PEEK = 1 << 16
_ZSTD_BYTES = 1 << 12
"""Packed bytes unpacked at once: 134 MB of zeros at most."""
_XML_HEAD = 1000
"""Bytes in which the outermost element of XML stands."""
_XML_ROOT = re.compile(rb"<(?:\w+:)?(osm|gpx)")


@dataclass
class Input:
    """An opened input: decompressed bytes, what they are, and how far reading has come.

    Attributes:
        name: the path as the user wrote it, or ``stdin``.
        stream: decompressed bytes from the start.
        kind: what the first bytes say.
        path: the file itself where it can be read in place (not compressed, not a pipe).
        size: bytes of the file on disk, None for a pipe.
        raw: the undecompressed stream; its position is the progress.
        packing: gzip or zstd, where the bytes are packed.
        spool: removes the copy of a pipe that ``path`` is, if it is one.
        parts: the files of a folder of Parquet files, of which ``path`` is the first.
        keys: what the ``key=value`` folders of the part that is being read say.
        layer: the layer of a vector file that is read.
        geometry: the column of geometries, where the file itself says which it is.
        crs: what it says of its coordinate reference system: a code, WKT or PROJJSON; None where
            it says nothing.
    """

    name: str
    stream: io.BufferedReader[Any]
    kind: Kind
    path: Path | None
    size: int | None
    raw: BinaryIO
    packing: str | None = None
    spool: ExitStack | None = None
    parts: tuple[DatasetFile, ...] = ()
    keys: dict[str, str | None] = field(default_factory=dict)
    layer: Layer | None = None
    geometry: str | None = None
    crs: Any = None
    _behind: int = 0

    def position(self) -> int:
        """Bytes of the file read so far (0 for a pipe)."""
        if self.parts:
            return self._behind
        return self.raw.tell() if self.size is not None else 0

    @contextmanager
    def reading(self, part: DatasetFile) -> Iterator[Path]:
        """One file of a folder; until the block ends, messages name it instead of the folder."""
        folder, self.name, self.keys = self.name, part.name, part.keys
        try:
            yield part.path
        finally:
            self.name, self.keys = folder, self.parts[0].keys
            self._behind += part.size

    def close(self) -> None:
        """Close everything that was opened."""
        self.stream.close()
        if self.spool is not None:
            self.spool.close()
        if self.raw is not sys.stdin.buffer:
            self.raw.close()


class _ZstdRaw(io.RawIOBase):
    """Decompressed zstd frames; unlike the library's reader, a cut-off frame is an error."""

    def __init__(self, source: Counted) -> None:
        import zstandard  # noqa: PLC0415 - only for .zst files

        self._source = source
        self._new = zstandard.ZstdDecompressor().decompressobj
        self._frame = self._new()
        self._left = memoryview(b"")
        self._inside = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        while not self._left:
            block = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame, self._inside = self._new(), False
            block = block or self._source.read(_ZSTD_BYTES)
            if not block:
                if self._inside:
                    raise EOFError("zstd frame cut off")
                return 0
            self._inside = True
            self._left = memoryview(self._frame.decompress(block))
            if self._frame.eof and not self._frame.unused_data:
                self._frame, self._inside = self._new(), False
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _decompress(
    raw: io.BufferedReader[Any], name: str
) -> tuple[io.BufferedReader[Any] | None, str | None]:
    head = raw.peek(4)[:4]
    if head[:2] == b"\x1f\x8b":
        packed = Counted(raw)
        inflated: Any = gzip.GzipFile(fileobj=packed, mode="rb")  # type: ignore[call-overload]
        return io.BufferedReader(Bounded(inflated, packed, name), 1 << 20), "gzip"
    if head == b"\x28\xb5\x2f\xfd":
        packed = Counted(raw)
        return io.BufferedReader(Bounded(_ZstdRaw(packed), packed, name), 1 << 20), "zstd"
    if head == b"\xfd7zX" or (head[:3] == b"BZh" and head[3:].isdigit()):
        raise HumobError(
            f"{name}: found a bzip2 or xz file, expected plain, .gz or .zst data; unpack it first"
        )
    return None, None


@contextmanager
def clear_read_errors(name: str, *, line: int | None = None) -> Iterator[None]:
    """Turn what a damaged file raises into one clear line that names the file."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise TableError(
            name, f"compressed data that are cut off or damaged ({exc})", "a whole file", line=line
        ) from exc
    except Exception as exc:
        if type(exc).__module__.startswith("zstandard"):
            raise TableError(name, f"damaged zstd data ({exc})", "a whole file", line=line) from exc
        raise


def _binary_kind(head: bytes) -> Kind | None:
    for magic, kind in (
        (b"PAR1", "parquet"),
        (b"ARROW1", "arrow"),
        (b"\xff\xff\xff\xff", "arrow-stream"),
    ):
        if head.startswith(magic):
            return kind  # type: ignore[return-value]
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    return "osm-pbf" if head[4:15] == b"\x0a\x09OSMHeader" else vector_kind(head)


def _kind(head: bytes, name: str) -> Kind:
    if (binary := _binary_kind(head)) is not None:
        return binary
    if b"\0" in head:
        utf16 = not any(head[1::2][:64]) or not any(head[::2][:64])
        raise HumobError(
            f"{name}: found {'UTF-16 without a byte order mark' if utf16 else 'binary data'}, "
            "expected CSV, NDJSON, Parquet or Arrow (plain, .gz, .zst)"
        )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:20].lower().startswith((b"<!doctype html", b"<html")):
        raise HumobError(f"{name}: found a web page (HTML), expected a table; download it again")
    if text.startswith(b"<") and (root := _XML_ROOT.search(text[:_XML_HEAD])):
        return "gpx" if root[1] == b"gpx" else "osm-xml"
    if text.startswith(b"{"):
        return "ndjson"
    return "json" if text.startswith(b"[") else "csv"


_put_back: dict[str, Input] = {}


def put_back(source: Input) -> None:
    """Give an input of which nothing was used to whoever opens it next: pipes open only once."""
    if source.path is not None and source.spool is None:
        source.close()  # a file can be opened again
    else:
        _put_back[source.name] = source


def open_input(path: str | None) -> Input:
    """Open a file, or standard input for None and ``-``, and look at its first bytes.

    A folder of Parquet files is one input.

    Raises:
        HumobError: nothing is there, or it is unreadable, empty or not a table.
    """
    name = "stdin" if path in (None, STANDARD) else str(path)
    if name in _put_back:
        return _put_back.pop(name)
    signals.claim()
    size: int | None = None
    place: Path | None = None
    raw: BinaryIO
    if path is None or path == STANDARD:
        if sys.stdin.isatty():
            raise HumobError("stdin: found a terminal, expected a file name or a pipe")
        raw = sys.stdin.buffer
        with suppress(OSError):  # no file at all, as in tests
            note_input(sys.stdin.fileno(), name)
    else:
        place = path.file if isinstance(path, FramePath) else Path(path)
        if place.is_dir():
            return _opened_folder(name)
        with clear_os_errors(name):
            raw = place.open("rb")
        if not isinstance(path, FramePath):
            note_input(place, name)
        size = place.stat().st_size if place.is_file() else None
    buffered: io.BufferedReader[Any] = (
        raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)
    )
    try:
        return _recognize(buffered, name, size, place)
    except BaseException:
        buffered.close()
        raise


def _opened_folder(name: str) -> Input:
    """The Parquet files of a folder as one input."""
    parts = parquet_parts(name)
    for part in parts:
        note_input(part.path, part.name)
    with clear_os_errors(parts[0].name):
        raw = parts[0].path.open("rb")
    size = sum(part.size for part in parts)
    return Input(name, raw, "parquet", parts[0].path, size, raw, parts=parts, keys=parts[0].keys)


def _recognize(
    raw: io.BufferedReader[Any], name: str, size: int | None, place: Path | None
) -> Input:
    """An opened input of which the first bytes have been looked at."""
    with clear_os_errors(name):
        first = raw.peek(1)
    if not first:
        raise HumobError(f"{name}: found an empty file, expected a table")
    inflated, packing = _decompress(raw, name)
    stream = inflated or raw
    if inflated is None and asked_bytes() is not None:
        stream = io.BufferedReader(Bounded(raw, None, name), 1 << 20)
    with clear_read_errors(name):
        head = stream.peek(_PEEK)
    if not head:
        raise HumobError(f"{name}: found an empty file, expected a table")
    encoding = wide_encoding(head)
    if encoding is not None:
        stream = io.BufferedReader(Transcoded(stream, encoding, name), 1 << 20)
        head, place = stream.peek(_PEEK), None
    in_place = place if size is not None and inflated is None else None
    if inflated is None:
        check_bytes(size or 0, None, name)
    return Input(name, stream, _kind(head, name), in_place, size, raw, packing)


_BINARY = {".parquet": "Parquet", ".pq": "Parquet", ".arrow": "Arrow", ".feather": "Arrow"}


def refuse_misnamed(name: str, kind: Kind) -> None:
    """Refuse a text whose name is that of a binary file; for columns that nothing knows.

    Args:
        name: of the input.
        kind: what its first bytes say.

    Raises:
        HumobError: it is one.
    """
    ending = Path(name).suffix.lower()
    if ending in _BINARY and kind in ("csv", "ndjson", "json"):
        raise HumobError(
            f"{name}: found text, expected a {_BINARY[ending]} file, as its name ends in {ending}; "
            "check where it comes from"
        )


def missing_file(name: str) -> HumobError:
    """The error of a file that is not there, with what may have been meant."""
    folder = Path(name).parent
    if not folder.is_dir():
        return HumobError(f"{name}: found no folder {folder}, expected an existing file")
    remedy = meant_file(name) or "; check its name, and the folder that the command runs in"
    return HumobError(f"{name}: found no such file, expected an existing one{remedy}")


@contextmanager
def clear_os_errors(name: str) -> Iterator[None]:
    """Turn the system's refusals (permission, disk full, no such file) into one clear line."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        if isinstance(exc, FileNotFoundError) and str(exc.filename) == name:
            raise missing_file(name) from exc
        raise HumobError(f"{name}: {reason(exc)}") from exc
    except Exception as exc:
        if type(exc).__name__ == "SafetensorError":  # its writer passes on what the system says
            raise HumobError(f"{name}: {system_reason(str(exc))}") from exc
        raise


@contextmanager
def seekable(source: Input) -> Iterator[Path]:
    """The input as a file that can be read at any place; a pipe goes to a temporary file."""
    if source.path is not None:
        yield source.path
        return
    with (
        tempfile.NamedTemporaryFile(prefix="humobctl-", suffix=".part", delete=False) as spool,
        signals.remove_if_ended(Path(spool.name)),
    ):
        with clear_os_errors(source.name), clear_read_errors(source.name):
            while block := source.stream.read(1 << 20):
                spool.write(block)
            spool.flush()
        yield Path(spool.name)


_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".geojson": "geojson",
    ".geoparquet": "geoparquet",
    ".fgb": "flatgeobuf",
    ".gpkg": "geopackage",
    ".gpx": "gpx",
    ".shp": "shapefile",
}
ZIPPED = ".shp.zip"
"""The ending of a Shapefile in one file."""
FORMATS: tuple[Format, ...] = get_args(Format)


def output_format(path: str | None, asked: str | None) -> Format:
    """The format to write: as asked, otherwise by the file's ending, otherwise CSV.

    Raises:
        UsageError: an ending that says nothing, and no format asked for.
    """
    if asked is not None and asked not in FORMATS:
        meant = meant_value(asked, FORMATS)
        raise UsageError(f"--format: found {asked!r}, expected one of {', '.join(FORMATS)}{meant}")
    if is_folder(path):
        if asked not in (None, "parquet"):
            raise UsageError(f"--format: found {asked} for the folder {path}, expected parquet")
        return "parquet"
    if asked is not None:
        return asked
    if path is None or path == STANDARD:
        return "csv"
    place = Path(path)
    if path.lower().endswith(ZIPPED):
        return "shapefile"
    if place.suffix in (".gz", ".zst"):
        place = place.with_suffix("")
    if place.suffix.lower() in _SUFFIXES:
        return _SUFFIXES[place.suffix.lower()]
    if is_special(Path(path)):
        return "csv"
    raise UsageError(
        f"{path}: found the ending {place.suffix!r}, expected one of {', '.join(_SUFFIXES)} "
        f"(with .gz or .zst), {ZIPPED}, or --format"
    )


def is_folder(path: str | None) -> bool:
    """Whether an output is a folder: the name ends in ``/``, or such a folder is there."""
    if path is None or path == STANDARD:
        return False
    return path.endswith(("/", os.sep)) or Path(path).is_dir()


def is_special(path: Path) -> bool:
    """Whether the path is a device or a named pipe, which cannot be renamed into place."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A path to write to; the file takes its real name only when the block ends well.

    Raises:
        HumobError: the folder is missing or cannot be written, another run writes the same file, or
            the disk is full.
    """
    target = behind_links(path)
    if target.is_dir():
        raise HumobError(f"{path}: found a directory, expected a file name to write")
    if not target.parent.is_dir():
        raise HumobError(f"{path}: found no folder {target.parent}, expected an existing folder")
    if is_special(target):
        with clear_os_errors(str(path)):
            yield target
        return
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    with reserve(path), signals.remove_if_ended(partial), clear_os_errors(str(path)):
        partial.touch()  # a folder that cannot be written is found out before the work is done
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        if mode is not None:
            partial.chmod(mode | stat.S_IRUSR | stat.S_IWUSR)
        yield partial
        if mode is not None:
            partial.chmod(mode)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(target)


@contextmanager
def open_compressed(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open ``path`` for writing bytes, compressed as the ending of ``name`` says."""
    with path.open("wb") as plain:
        if name.endswith(".gz"):
            # No name and no time in the header: the same table gives the same bytes.
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=plain, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        elif name.endswith(".zst"):
            import zstandard  # noqa: PLC0415 - only for .zst files

            with zstandard.ZstdCompressor(level=6).stream_writer(plain, closefd=False) as packed:
                yield packed
        else:
            yield plain
