"""What SECURITY.md promises: nothing is run, nothing acts on those who look, no secret."""

from __future__ import annotations

import ast
import errno
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.console import safe_text
from humobctl.errors import HumobError, TableError
from tests.conftest import POPULATION, ROOT, Cli, environment, run_cli
from tests.intend.chat_server import KEY
from tests.messages import fails, says

PACKAGE = ROOT / "humobctl"
EVIL = "</script><img src=x>[red]$x^$[/red]:bell:\x1b]0;owned\x07\x1b[31m\u202e\r\x9b=cmd"
"""Acts in a page, in rich's markup, in matplotlib's formulas and on a terminal."""
FILE = "<b>[red]$x^$[bold]\x1b[31m\u202e\n.csv"
"""The same as a file's name, which holds no slash."""


# -- the source -----------------------------------------------------------------------------------


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call, with the name that is called as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def faults(source: str) -> list[str]:
    """What a source text does that humobctl does not do."""
    found = []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            bad = {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
            found += [f"import {name}" for name in names if name.split(".")[0] in bad]
    for name, call in calls(tree):
        keywords = {word.arg: word.value for word in call.keywords}
        truths = {n: isinstance(v, ast.Constant) and v.value is True for n, v in keywords.items()}
        if name in ("eval", "exec", "compile", "__import__", "os.system", "os.popen"):
            found.append(name)
        if name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load"):
            found.append(name)
        if name == "torch.load" and not truths.get("weights_only"):
            found.append("torch.load without weights_only")
        if name == "np.load" and ast.unparse(keywords.get("allow_pickle", call)) != "False":
            found.append("np.load that may read a pickle")
        if "shell" in keywords or truths.get("trust_remote_code"):
            found.append(f"{name} with shell or trust_remote_code")
    return found


def test_the_source_runs_nothing_that_it_reads() -> None:
    found = {
        str(path.relative_to(PACKAGE)): wrong
        for path in sorted(PACKAGE.rglob("*.py"))
        if (wrong := faults(path.read_text(encoding="utf-8")))
    }
    # The reader of CoPB's data sets builds on pickle.Unpickler with an allow-list. What an engine
    # sends to its workers was pickled by itself, and Ray pickles all the same.
    allowed = ("data/importers/pickles.py", "execution/ray_cluster.py")
    assert found == {name: ["import pickle"] for name in allowed}


@pytest.mark.parametrize(
    "source",
    [
        *("import pickle", "from dill import loads", "eval(x)", "os.system(x)", "torch.load(x)"),
        *("np.load(x)", "yaml.load(x)", "run(x, shell=True)", "np.load(x, allow_pickle=True)"),
        *("torch.load(x, weights_only=False)", "f(trust_remote_code=True)"),
    ],
)
def test_the_check_of_the_source_can_fail(source: str) -> None:
    assert faults(source)


# -- text of others -------------------------------------------------------------------------------


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("\x1b\n\r\x9b\u202e\u2028\0")))
def test_shown_text_is_printable(text: str) -> None:
    shown = safe_text.printable(text)
    assert "".join(c for c in shown if c not in "\u200c\u200d").isprintable()
    assert safe_text.printable(shown) == shown
    if text.isprintable():
        assert shown == text
    lines = safe_text.printable(text, lines=True)
    assert lines.count("\n") == text.count("\n")
    one = str(HumobError(text))
    assert one == safe_text.message(one)
    assert "\n" not in one
    assert "\x1b" not in str(TableError(text, text, text, column=text))


def test_escapes_and_lengths_by_hand() -> None:
    assert safe_text.printable("a\x1b[31m\u202eb\n") == r"a\x1b[31m\u202eb\n"
    assert safe_text.printable("caf\u00e9 \u6771\u4eac \u0645\u06cc\u200c\u062e") == (
        "caf\u00e9 \u6771\u4eac \u0645\u06cc\u200c\u062e"
    )
    assert safe_text.printable("\udc80") == r"\udc80"
    long = safe_text.message("a" * 3000 + "b" * 1_000_000 + "c" * 3000)
    assert len(long) < 4100
    assert (long[:3], long[-3:]) == ("aaa", "ccc")


def on_terminal(*arguments: str, cwd: Path) -> str:
    """What a command shows on a terminal that takes no styles, both streams together."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "humobctl", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment(TERM="dumb", COLUMNS="400"),
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 1 << 16):
            parts.append(part)
    except OSError as exc:
        assert exc.errno == errno.EIO
    os.close(ours)
    process.wait(60)
    return b"".join(parts).decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Places, people, embeddings and files with names that are meant to act."""
    folder = tmp_path_factory.mktemp("hostile")
    people = pl.read_csv(io.StringIO(POPULATION), infer_schema=False)
    people.with_columns(occupation=pl.lit(EVIL)).write_csv(folder / "people.csv")
    names = {"place_id": ["a", "b"], "name": [EVIL] * 2, "category": [EVIL] * 2}
    where = {"intent": ["eat", "eat"], "lat": [39.9, 39.91], "lon": [116.3, 116.31]}
    pl.DataFrame(names | where).write_csv(folder / "places.csv")
    done = run_cli("data", "synth", "--users", "6", "--output", "city.csv", cwd=folder)
    assert done.code == 0, done.err
    (folder / FILE).write_bytes((folder / "city.csv").read_bytes())
    vectors = np.random.default_rng(1).normal(size=(6, 512)).astype(np.float32)
    uid = pl.Series(range(6), dtype=pl.UInt32)
    table = pl.DataFrame({"uid": uid, "embedding": vectors, "city": [EVIL] * 6})
    table.write_parquet(folder / "embeddings.parquet")
    return folder


@pytest.mark.parametrize(
    ("command", "shows"),
    [
        (("data", "describe", "places.csv"), "[red]$x^$[/red]:bell:"),
        (("data", "import", "places.csv", "--to", "csv"), "[red]$x^$[/red]:bell:"),
        (("intend", "people.csv", "--show-prompt"), "[red]$x^$[/red]:bell:"),
        (("data", "describe", FILE), r"<b>[red]$x^$[bold]\x1b[31m\u202e\n.csv"),
        (("eval", FILE, "--truth", "city.csv", "--format", "table"), r"[bold]\x1b[31m\u202e\n.csv"),
        (("data", "describe", f"no{FILE}"), r"no<b>[red]$x^$[bold]\x1b[31m\u202e\n.csv: found"),
        (("data", "mask", f"no{FILE}", FILE), r"[bold]\x1b[31m\u202e"),
        (("predict", "city.csv", "--from-day", "60", "--calendar", EVIL), r"\x1b]0;owned"),
        (
            ("explore", "embeddings.parquet", "city.csv", FILE, "--export", "p.html"),
            r"\x1b]0;owned\x07",
        ),
    ],
)
def test_nothing_acts_on_a_terminal(hostile: Path, command: tuple[str, ...], shows: str) -> None:
    seen = on_terminal(*command, cwd=hostile)
    assert shows in seen, seen
    assert "\x1b" not in seen
    acting = {c for c in seen if not c.isprintable()} - {"\n"}
    assert acting == set(), seen


def test_nothing_acts_in_a_page_or_a_picture(cli: Cli, hostile: Path, tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    pytest.importorskip("matplotlib")
    page = tmp_path / "page.html"
    command = ("embeddings.parquet", "city.csv", "--city", EVIL, "--export", page)
    done = cli("explore", *command, cwd=hostile)
    assert done.code == 0, done.err
    text = page.read_text(encoding="utf-8")
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    for name in ("plot.html", "plot.png"):
        done = cli("data", "describe", FILE, "--plot", tmp_path / name, cwd=hostile)
        assert done.code == 0, done.err
    text = (tmp_path / "plot.html").read_text(encoding="utf-8")
    assert "<b>[red]" not in text
    # plotly would make bold of <b>, and a link of <a>; \u0026 is & in its JSON.
    assert r"&lt;b&gt;[red]" in text.replace(r"\u0026", "&")


def test_values_stay_what_they_are(cli: Cli, hostile: Path, tmp_path: Path) -> None:
    """Tables are data: a formula for a spreadsheet is a name like any other."""
    done = cli("data", "import", "places.csv", "--output", tmp_path / "p.csv", cwd=hostile)
    assert done.code == 0, done.err
    again = pl.read_csv(tmp_path / "p.csv", infer_schema=False)
    assert set(again["name"]) == {EVIL.replace("\r", "\n")}  # the reader's one form of line ends
    piped = cli("data", "import", "places.csv", "--to", "csv", cwd=hostile)
    assert EVIL.replace("\r", "\n").encode() in piped.raw


# -- secrets --------------------------------------------------------------------------------------

FAILING = """
import humobctl.data.describe.grid as module
def fail(*_, **__):
    import os
    raise RuntimeError(f"key {os.environ['OPENAI_API_KEY']} at http://me:hunter22@host/v1")
module.describe = fail
"""


def test_no_secret_in_a_traceback(cli: Cli, hostile: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAILING)
    env = {"PYTHONPATH": str(tmp_path), "OPENAI_API_KEY": KEY}
    for flags in ((), ("--verbose",)):
        done = cli("data", "describe", "city.csv", *flags, cwd=hostile, env=env)
        assert done.code == 1
        says(done.err, "internal", "RuntimeError", "key [key] at http://[key]@host/v1")
        assert ("Traceback" in done.err) is bool(flags)
        assert KEY not in done.err
        assert "hunter22" not in done.err


def test_no_password_of_an_address(cli: Cli, hostile: Path) -> None:
    pytest.importorskip("openai")
    address = "http://me:hunter22@127.0.0.1:9/v1"
    done = cli(
        *("intend", "people.csv", "--backend", "openai", "--model", "m", "--base-url", address),
        "--verbose",
        cwd=hostile,
        env={"OPENAI_API_KEY": KEY},
    )
    fails(done, "--base-url", "password", code=2, notes=True)
    assert "hunter22" not in done.err + done.out
    assert not any(b"hunter22" in file.read_bytes() for file in hostile.iterdir())


def test_no_token_of_a_hub(warm_cli: Cli, hostile: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    env = {
        "HF_HUB_OFFLINE": "1",
        "HF_TOKEN": "hf_0123456789abcdef",
        "OPENAI_API_KEY": KEY,
        "HF_HOME": str(tmp_path),
    }
    train = ("finetune", "llama", "city.csv", "--base", "nobody/nothing", "--output", "m")
    done = warm_cli(*train, "--verbose", cwd=hostile, env=env)
    assert done.code == 1
    says(done.err, "error:", "nobody/nothing", "no such folder")
    assert "hf_0123" not in done.err + done.out
    rank = ("train", "ranker", "city.csv", "--rows", "200", "--output", str(tmp_path / "ranker"))
    done = warm_cli(*rank, "--verbose", cwd=hostile, env=env)
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "ranker" / "run.json").read_text())
    for file in (tmp_path / "ranker").iterdir():
        assert KEY.encode() not in file.read_bytes()
        assert b"hf_0123" not in file.read_bytes()
