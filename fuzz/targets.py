"""One function a parser: bytes in; a result or a clear error out.

The first byte chooses among the ways of a target (the table, the format), so that one corpus serves
all of them. A target raises only where humobctl breaks its promise.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humobctl.console import report
from humobctl.console.safe_text import LONGEST
from humobctl.errors import HumobError

Run = Callable[[Path, int, bytes], object]
"""(an empty folder, the choice, the input)"""


class BrokenPromiseError(AssertionError):
    """An input led to something else than a result or one printable line."""


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes:
        name: of the corpus and of the crashes.
        run: reads the input, with all of the result gone through.
        modules: that coverage is looked at in, as prefixes.
        needs: packages without which there is nothing to run.
    """

    name: str
    run: Run
    modules: tuple[str, ...] = ("humobctl.data", "humobctl.io", "humobctl.tables")
    needs: tuple[str, ...] = ()


def check(target: Target, folder: Path, data: bytes) -> bool:
    """Run a target on one input; whether it was refused in one clear line.

    Raises:
        BrokenPromiseError: an error of more than one printable line.
        Exception: whatever the parser let through.
    """
    report.configure(quiet=True, verbose=False)
    choice, payload = (data[0], data[1:]) if data else (0, b"")
    try:
        target.run(folder, choice, payload)
    except HumobError as exc:
        text = str(exc)
        plain = "".join(c for c in text if c not in "\u200c\u200d")
        if not plain.isprintable() or not text.strip() or len(text) > LONGEST + 10:
            raise BrokenPromiseError(f"no clear line: {text!r}") from exc
        return True
    return False


def _all(things: Iterable[object]) -> None:
    deque(things, maxlen=0)


def _file(folder: Path, name: str, payload: bytes) -> str:
    path = folder / name
    path.write_bytes(payload)
    return str(path)


# -- tables ---------------------------------------------------------------------------------------


def _table(folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.io.read import iter_table
    from humobctl.tables import schemas

    tables = [v for v in vars(schemas).values() if isinstance(v, schemas.Table)]
    how = "drop" if choice & 0x80 else "fail"
    table = tables[(choice & 0x7F) % len(tables)]
    _all(iter_table(_file(folder, "in", payload), table, on_error=how))  # type: ignore[arg-type]


def _imported(path: str, name: str, **options: Any) -> None:
    from humobctl.data.importers.options import ImportOptions
    from humobctl.data.importers.run import import_data

    _all(import_data(path, ImportOptions(**options), name).batches)


def _import(folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.data.importers.detect import FORMATS
    from humobctl.tables.grid import parse_grid

    names = ["auto", "auto", *(entry.name for entry in FORMATS if not entry.places)]
    name = names[(choice & 0x1F) % len(names)]
    options: dict[str, Any] = {"on_error": "drop" if choice & 0x80 else "fail"}
    if choice & 0x40:
        options |= {"grid": parse_grid("500m@39.6,116.0"), "outside": "drop"}
    if choice & 0x20:
        options |= {"timezone": "Asia/Shanghai", "source_timezone": "UTC"}
    ending = ".plt" if name == "geolife" else ""
    _imported(_file(folder, f"in{ending}", payload), name, **options)


def _places(folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.data.importers.detect import FORMATS

    names = ["auto", *(entry.name for entry in FORMATS if entry.places)]
    how = "drop" if choice & 0x80 else "fail"
    name = names[(choice & 0x3F) % len(names)]
    wanted = "places" if choice & 0x40 else "auto"
    _imported(_file(folder, "in", payload), name, on_error=how, wanted=wanted)


def _rules(folder: Path, _: int, payload: bytes) -> None:
    from humobctl.data.importers.places.mapping import mapping_for

    mapping_for(_file(folder, "rules.csv", payload))


def _stays(folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.data.importers.stays import read_stays

    how = "drop" if choice & 0x80 else "fail"
    read_stays(_file(folder, "in", payload), on_error=how, categories=bool(choice & 1))  # type: ignore[arg-type]


def _areas(folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.data.importers.areas import read_areas, read_flows

    how = "drop" if choice & 0x80 else "fail"
    read: Any = read_flows if choice & 1 else read_areas
    read(_file(folder, "in", payload), on_error=how)


def _population(folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.intend.population import read_population

    count = 3 if choice & 1 else None
    # A count of a thousand million people is not a fault, but nothing to go through either.
    people = read_population(_file(folder, "in", payload), count=count)
    _all(batch for batch, _ in zip(people.batches(5), range(3), strict=False))


def _embeddings(folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.embed.vectors import read_embeddings

    endings = (".npy", ".safetensors", ".parquet", ".csv", ".arrow", ".ndjson")
    read_embeddings(_file(folder, f"in{endings[choice % len(endings)]}", payload))


# -- pickles --------------------------------------------------------------------------------------

_FORBIDDEN = (
    *("os.", "subprocess.", "socket.", "shutil.", "ctypes.", "exec", "compile", "import"),
    *("open", "pty.", "webbrowser.", "urllib."),
)
_watched: list[bool] = []


def _watch(event: str, details: object) -> None:
    reads = event == "open" and str(details).startswith("('/proc/")
    if _watched and event.startswith(_FORBIDDEN) and not reads:
        _watched.clear()
        raise BrokenPromiseError(f"a pickle caused {event} {details}")


@contextlib.contextmanager
def nothing_is_run() -> Iterator[None]:
    """Fail where Python's own audit sees a file, a process, an import or code being started."""
    if not getattr(_watch, "installed", False):
        sys.addaudithook(_watch)
        _watch.installed = True  # type: ignore[attr-defined]
    _watched.append(True)
    try:
        yield
    finally:
        _watched.clear()


def _pickles(folder: Path, _: int, payload: bytes) -> None:
    import encodings.latin_1  # noqa: F401 - imported when they are first used
    import io
    import resource  # noqa: F401

    import numpy.dtypes
    import numpy.rec  # noqa: F401

    from humobctl.data.importers import pickles

    "".encode("unicode_escape")
    stream = io.BytesIO(payload)
    with nothing_is_run():
        value = pickles.load(stream, "in", len(payload))
    found = value.values() if isinstance(value, dict) else value
    for one in [value, *(found if isinstance(found, list | tuple) else ())]:
        if pickles.is_frame(one):
            pickles.to_polars(one, "in")
    _imported(_file(folder, "in.pkl", payload), "copb-pickle")


# -- settings, models, replies --------------------------------------------------------------------


def _settings(folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.embed import config as embedder
    from humobctl.generate.diffusion import config as diffusion
    from humobctl.predict.bert_moe import config as bert
    from humobctl.training.settings import resolve_settings

    presets: Any = [module.PRESETS for module in (bert, diffusion, embedder)]
    resolve_settings(presets[choice % 3], None, _file(folder, "in.toml", payload), {})


def _factory(folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.predict.llama.config import resolve
    from humobctl.predict.llama.llama_factory_yaml import read_factory

    found = read_factory(_file(folder, "in.json" if choice & 1 else "in.yaml", payload))
    resolve("small", None, found.settings)


def _model_dir(folder: Path, choice: int, payload: bytes) -> None:
    import json

    from humobctl.predict.registry import is_language_model
    from humobctl.training.model_dir import load

    model = folder / "model"
    model.mkdir(exist_ok=True)
    good = json.dumps({"type": "ranker", "version": "0.1.0"}).encode()
    config, arrays = (payload, b"") if choice & 1 else (good, payload)
    _file(model, "config.json", config)
    _file(model, "model.safetensors", arrays)
    _file(model, "run.json", b"{}")
    is_language_model(str(model))
    load(model, arrays=bool(choice & 2) or not choice & 1)


def _answers(_folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.intend import answers
    from humobctl.llm.json_reply import AnswerError, read_answer

    forms = (answers.Attitude, answers.Norm, answers.Decision, answers.RankedDecision)
    try:
        found = read_answer(payload.decode(errors="replace"), forms[choice % 4])
    except AnswerError as exc:
        raise HumobError(str(exc)) from exc if str(exc).isprintable() else None
    for text in (getattr(found, "reason", ""), getattr(found, "routine", "")):
        if not text.isprintable():
            raise BrokenPromiseError(f"a reason that is not printable: {text!r}")


def _journal(folder: Path, _: int, payload: bytes) -> None:
    from humobctl.llm.server.journal import Journal, JournalEntry

    journal = Journal(_file(folder, "journal.jsonl", payload))
    try:
        for key in list(journal._places)[:50]:
            journal.get(key.hex())
        journal.put("ab" * 16, JournalEntry("said", "", 1, 1))
        if journal.get("ab" * 16) is None:
            raise BrokenPromiseError("an answer that was kept is lost")
    finally:
        journal.close()


def _records(folder: Path, _: int, payload: bytes) -> None:
    from humobctl.predict.llama.records import read_records

    _all(read_records(_file(folder, "records.jsonl", payload)))


def _options(_folder: Path, choice: int, payload: bytes) -> None:
    from humobctl.api.options import parse_range
    from humobctl.intend.backends.base import parse_parts
    from humobctl.predict.decode_slots import parse_decode
    from humobctl.predict.registry import check_name, parse_blend
    from humobctl.tables import calendar, grid
    from humobctl.tables.column_names import parse_columns

    # What a shell can give: no NUL, and bytes that are not UTF-8 as surrogates.
    text = payload.replace(b"\0", b"").decode(errors="surrogateescape")
    parsers: tuple[Callable[[str], object], ...] = (
        lambda text: parse_range("--days", text),
        calendar.check_zone,
        calendar.parse_date,
        grid.parse_grid,
        lambda text: grid.parse_grid("500m@39.6,116.0", text),
        lambda text: parse_columns(text.split(" ")),
        lambda text: parse_parts(text.split(" ")),
        parse_decode,
        parse_blend,
        check_name,
    )
    try:
        parsers[choice % len(parsers)](text)
    except OSError as exc:  # a name that is too long; cli says so in one line
        raise HumobError(str(exc.strerror)) from exc


_MODELS = ("humobctl.predict", "humobctl.training")
TARGETS = {
    target.name: target
    for target in (
        Target("table", _table),
        Target("import", _import),
        Target("places", _places, needs=("osmium", "shapely", "ijson")),
        Target("rules", _rules),
        Target("stays", _stays),
        Target("areas", _areas),
        Target("population", _population, ("humobctl.io", "humobctl.intend")),
        Target("embeddings", _embeddings, ("humobctl.embed", "humobctl.io")),
        Target("pickles", _pickles),
        Target("settings", _settings, _MODELS),
        Target("factory", _factory, _MODELS, needs=("yaml",)),
        Target("model-dir", _model_dir, _MODELS),
        Target("answers", _answers, ("humobctl.intend", "humobctl.llm"), needs=("json_repair",)),
        Target("journal", _journal, ("humobctl.llm",)),
        Target("records", _records, _MODELS),
        Target("options", _options, ("humobctl",)),
    )
}
