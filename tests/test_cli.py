"""Exit codes, pipes, interrupts and full disks, in processes of their own."""

from __future__ import annotations

import ctypes
import functools
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import humobctl
from tests.conftest import ROOT, Cli, Run, environment
from tests.inprocess import serves
from tests.messages import fails, says

HEADER = b"uid,d,t,x,y\n"
HUMOBCTL = [sys.executable, "-m", "humobctl"]
# Written batch by batch (packed or not), by a Parquet sink, and all at once.
TARGETS = ["out.csv", "out.csv.gz", "out.parquet", "out.arrow"]


@functools.cache
def rows(users: range) -> bytes:
    """Full days 0-74 of some users."""
    lines = [f",{d},{t},{d + 1},{t + 1}\n" for d in range(75) for t in range(48)]
    return "".join(f"{user}{line}" for user in users for line in lines).encode()


# -- exit codes and flags -----------------------------------------------------------------------


def test_version(cli: Cli) -> None:
    for place in (("--version",), ("--version", "eval")):
        done = cli(*place)
        assert (done.code, done.out) == (0, f"humobctl {humobctl.__version__}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("data", "nonsense"),
        ("eval", "--nonsense"),
        ("data", "synth", "--users", "many"),
        ("data", "mask", "--on-error", "shrug"),
        ("eval",),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], cli: Cli) -> None:
    done = cli(*arguments)
    assert done.out == ""
    fails(done, "see 'humobctl", code=2)


@pytest.mark.parametrize("arguments", [(), ("data",)])
def test_nothing_asked_for_shows_help(arguments: tuple[str, ...], cli: Cli) -> None:
    done = cli(*arguments)
    assert "Usage: humobctl" in done.out + done.err
    assert "Commands:" in done.out + done.err


@pytest.mark.parametrize("flag", ["--quiet", "-q"])
def test_flags_stand_anywhere(flag: str, cli: Cli) -> None:
    table = HEADER + rows(range(1))
    said = cli("data", "mask", "--from-day", "60", input=table)
    assert "masked" in said.err
    for arguments in (
        (flag, "data", "mask", "--from-day", "60"),
        ("data", flag, "mask", "--from-day", "60"),
        ("data", "mask", flag, "--from-day", "60"),
        ("data", "mask", "--from-day", "60", flag),
    ):
        done = cli(*arguments, input=table)
        assert (done.code, done.err) == (0, "")
        assert done.out == said.out


def test_after_two_dashes_nothing_is_a_flag(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "-q").write_bytes(HEADER + rows(range(1)))
    done = cli("data", "mask", "--from-day", "60", "--", "-q", cwd=tmp_path)
    assert done.code == 0
    assert "masked" in done.err


def test_verbose_shows_the_cause(cli: Cli, tmp_path: Path) -> None:
    quiet = cli("data", "mask", "no.csv", "--last", "1", cwd=tmp_path)
    fails(quiet, "no.csv", "no such file")
    verbose = cli("-v", "data", "mask", "no.csv", "--last", "1", cwd=tmp_path)
    says(verbose.err, "FileNotFoundError")


# -- pipes ------------------------------------------------------------------------------------


def in_bash(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash
    return subprocess.run(
        [bash, "-o", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(),
        timeout=120,
    )


@pytest.mark.parametrize(
    "line",
    [
        "humobctl data synth --users 50 | head -1",
        "humobctl data mask big.csv --from-day 60 --format ndjson | head -1",
        "humobctl data mask big.csv --from-day 60 --format parquet | head -c 1",
        "humobctl data import big.csv | head -1",
        "humobctl data describe big.csv | head -c 1",
        "humobctl eval --help | head -1",
        "humobctl doctor | head -0",
    ],
)
def test_a_reader_that_goes_away_is_no_failure(line: str, tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(HEADER + rows(range(60)))
    done = in_bash(line, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.lower()


def test_commands_in_a_pipe(tmp_path: Path) -> None:
    done = in_bash(
        "humobctl -q data synth --users 3 --format arrow "
        "| humobctl -q data mask --from-day 60 --format parquet "
        "| humobctl -q data import --to csv | head -1",
        tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "uid,d,t,x,y\n", "")


def test_a_failure_in_a_pipe_is_seen(tmp_path: Path) -> None:
    done = in_bash("echo rubbish | humobctl data mask --from-day 1 | cat", tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: stdin: ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("data", "synth", "-n", "0"), 2), (("data", "describe", "none.csv"), 1)],
)
def test_a_failure_that_nobody_reads_is_one(arguments, code, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [*HUMOBCTL, *arguments]
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment(), stderr=write)
    os.close(write)
    assert done.returncode == code


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("predict a.csv --from-day y", ("--from-day", "found 'y'", "expected a whole number")),
        ("predict a.csv --from-day -1", ("found '-1'", "expected at least 0")),
        ("predict a.csv --top-p much", ("found 'much'", "expected a number")),
        ("intend --days 99999999999999999999", ("expected at most 10,000",)),
        ("intend --backend foo", ("found 'foo'", "expected one of 'planner', 'openai', 'hf'")),
    ],
)
def test_a_refused_value_is_found_and_expected(cli, words: str, expected: tuple[str, ...]) -> None:
    done = cli(*words.split())
    assert done.code == 2
    says(done.err, *expected)
    assert "Value error" not in done.err
    assert "Input should" not in done.err


# -- interrupts ---------------------------------------------------------------------------------


@contextmanager
def converting(target: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A conversion of a pipe that never ends, begun: its unfinished file is there."""
    process = subprocess.Popen(
        [*HUMOBCTL, "data", "import", "-", "--format", "humob", "--output", target],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=environment(),
        # A test run in the background ignores Ctrl-C, and would hand that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdin is not None
    try:
        process.stdin.write(HEADER + rows(range(150)))  # more than one block
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not any(folder.iterdir()):
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < deadline, "no file was begun"
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.mark.parametrize(
    ("target", "number"),
    list(zip(TARGETS, 2 * (signal.SIGINT, signal.SIGTERM), strict=True)),
)
def test_an_interrupt_leaves_no_file(target: str, number: int, tmp_path: Path) -> None:
    with converting(target, tmp_path) as process:
        process.send_signal(number)
        # The pipe is silent and stays open: the end must not wait for more data.
        assert process.wait(20) == 128 + number
        assert list(tmp_path.iterdir()) == []
        assert process.stderr is not None
        assert re.fullmatch(rb"interrupted; .*\n", process.stderr.read())


def test_an_interrupt_keeps_the_old_file(tmp_path: Path) -> None:
    old = tmp_path / "out.csv"
    with converting("out.csv", tmp_path) as process:
        old.write_text("precious")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert old.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_temporary_file(number: int, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*HUMOBCTL, "data", "mask", "--from-day", "60"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(TMPDIR=str(tmp_path)),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdin is not None
    try:
        # A Parquet file is read from its end, so what comes from a pipe is put aside first.
        process.stdin.write(b"PAR1" + bytes(1 << 21))
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while not any(tmp_path.iterdir()):
            assert time.monotonic() < deadline, "nothing was put aside"
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(20) == 128 + number
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def test_the_whole_file_comes_when_the_pipe_ends(tmp_path: Path) -> None:
    with converting("out.csv", tmp_path) as process:
        assert not (tmp_path / "out.csv").exists()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_bytes() == HEADER + rows(range(150))


INTERRUPTED = """
import os, pkgutil, signal, sys
*moments, run = sys.argv[1:]
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name in moments:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv[1:] = ["doctor"]
pkgutil.resolve_name(run)()
"""


LOADED = ("humobctl.cli", "typer", "humobctl.console.signals", "humobctl.native", "rich.console")


@pytest.mark.parametrize(
    ("moments", "before", "code"),
    [*(((name,), signal.SIG_DFL, 130) for name in LOADED), (LOADED, signal.SIG_IGN, 0)],
)
def test_an_interrupt_while_loading(
    moments: tuple[str, ...], before: signal.Handlers, code: int
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *moments, project["scripts"]["humobctl"]],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, before),
    )
    assert done.returncode == code
    assert done.stderr in ("", "interrupted; unfinished files were removed\n")


# -- full disks and closed doors ------------------------------------------------------------------


@contextmanager
def limited(most: int) -> Iterator[None]:
    """A disk on which a file ends after ``most`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("target", [*TARGETS, "out.ndjson.zst"])
def test_a_full_disk(target: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(HEADER + rows(range(40)))
    with limited(4096):
        done = cli("data", "import", "in.csv", "--output", target, cwd=tmp_path)
    fails(done, target, "File too large", notes=True)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "mask", "--from-day", "60", "--quiet"),
        ("data", "mask", "--from-day", "60", "--quiet", "--output", "/dev/full"),
        ("data", "mask", "--from-day", "60", "--quiet", "--format", "parquet"),
        ("data", "describe"),
        ("predict", "--list-models"),
        ("doctor",),
        ("eval", "--help"),
    ],
)
def test_a_full_standard_output(arguments: tuple[str, ...]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*HUMOBCTL, *arguments],
            input=HEADER + rows(range(3)),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            env=environment(),
        )
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    says(lines[0], "No space left on device")


@pytest.mark.parametrize(
    "line",
    [
        "humobctl data describe big.csv <&-",
        "humobctl data synth --users 1 -o out.csv >&-",
        "humobctl data describe big.csv 2>&-",
        "humobctl -q data mask big.csv --last 1 -o out.parquet <&- >&- 2>&-",
    ],
)
def test_closed_streams_that_are_not_needed(line: str, tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(HEADER + rows(range(2)))
    done = in_bash(line, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "stream"),
    [
        ("humobctl data describe <&-", "stdin"),
        ("humobctl data mask --last 1 <&-", "stdin"),
        ("humobctl data synth --users 1 >&-", "stdout"),
        ("humobctl data synth --users 1 --format parquet >&-", "stdout"),
        ("humobctl predict --list-models >&-", "stdout"),
        ("humobctl eval big.csv --truth big.csv >&-", "stdout"),
        ("humobctl data describe big.csv >&-", "output"),
        ("humobctl doctor >&-", "output"),
        ("humobctl --version >&-", "output"),
        ("humobctl --help >&-", "output"),
    ],
)
def test_closed_streams_are_one_line(line: str, stream: str, tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(HEADER + rows(range(2)))
    done = in_bash(line, tmp_path)
    fails(Run(done.returncode, done.stdout, done.stderr, b""), stream, "closed")


def as_anyone() -> None:
    """Root may read and write everything: do without that power."""
    if os.geteuid() == 0:
        drop, dac_override, dac_read_search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_...
        for power in (dac_override, dac_read_search):
            ctypes.CDLL(None).prctl(drop, power, 0, 0, 0)


def test_no_permission(tmp_path: Path) -> None:
    table = HEADER + rows(range(1))
    secret, locked = tmp_path / "secret.csv", tmp_path / "locked"
    secret.write_bytes(table)
    secret.chmod(0)
    locked.mkdir(mode=0o555)
    reads = ["cat", str(secret)]
    probe = subprocess.run(reads, check=False, capture_output=True, preexec_fn=as_anyone)
    if probe.returncode == 0:
        pytest.skip("runs as root, and root cannot be denied anything here")

    def run(*arguments: str | Path) -> Run:
        done = subprocess.run(
            [*HUMOBCTL, "data", "mask", "--from-day", "60", "--quiet", *map(str, arguments)],
            input=table,
            capture_output=True,
            check=False,
            env=environment(),
            preexec_fn=as_anyone,
        )
        return Run(done.returncode, "", done.stderr.decode(), done.stdout)

    fails(run(secret), str(secret), "Permission denied")
    target = locked / "out.csv"
    fails(run("--output", target), str(target), "Permission denied")


def test_commands_run_in_the_tests_own_process_whatever_started_the_tests() -> None:
    """A variable that is not known to be harmless would cost a process a command, in silence."""
    assert serves(environment())
