"""What people see: on a terminal (a pseudo-terminal here), in a pipe, and with --quiet."""

from __future__ import annotations

import io
import itertools
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from humobctl.console import report
from tests.conftest import Cli, environment
from tests.messages import fails, says

ONE_DAY = "uid,d,t,x,y\n" + "".join(f"1,60,{t},5,6\n" for t in range(48))
FAULTY = ONE_DAY + "1,61,0,5,bad\n"
WORK = """
import time
from humobctl.console import report
report.configure(quiet={quiet}, verbose=False)
with report.progress("counting sheep", 200, "sheep") as ticker:
    for _ in range({steps}):
        time.sleep(0.02)
        ticker.advance()
report.info("done")
"""


def on_terminal(
    arguments: list[str],
    *,
    feed: Callable[[io.BufferedWriter, int], None] | None = None,
    env: dict[str, str] | None = None,
) -> str:
    """What a process writes to a terminal on its stderr; its exit code must be 0."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=environment(**{"TERM": "xterm", "COLUMNS": "100", **(env or {})}),
    )
    os.close(theirs)
    assert isinstance(process.stdin, io.BufferedWriter)
    if feed is not None:
        feed(process.stdin, ours)
    process.stdin.close()
    seen = b""
    while True:
        try:
            block = os.read(ours, 1 << 16)
        except OSError:  # Linux's way of saying that the other end is closed
            break
        if not block:
            break
        seen += block
    os.close(ours)
    assert process.wait(60) == 0, seen.decode()
    return seen.decode()


def test_long_work_shows_a_bar_with_rate_and_time_left() -> None:
    seen = on_terminal(["-c", WORK.format(quiet=False, steps=100)])
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    # 100 of 200 in about two seconds: half, at just under 50 a second, two seconds left.
    bars = re.findall(r"counting sheep \S+ +(\d+)% (\d+) sheep/s (\d:\d\d:\d\d)", plain)
    assert bars
    percent, rate, left = bars[-1]
    assert 40 <= int(percent) <= 50
    assert 10 <= int(rate) <= 50
    assert left > "0:00:00"
    assert plain.rstrip().endswith("done")
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h"), "the cursor is given back"


def test_short_work_shows_no_bar() -> None:
    assert on_terminal(["-c", WORK.format(quiet=False, steps=10)]) == "done\r\n"


def test_quiet_work_shows_no_bar() -> None:
    assert on_terminal(["-c", WORK.format(quiet=True, steps=80)]) == ""


def test_no_bar_where_stderr_is_no_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORK.format(quiet=False, steps=80)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert (done.stdout, done.stderr) == ("", "done\n")


def test_reading_a_slow_pipe_shows_a_bar() -> None:
    lines = [f",{d},{t},5,6\n" for d in range(75) for t in range(48)]

    def until_seen(pipe: io.BufferedWriter, terminal: int) -> None:
        pipe.write(b"uid,d,t,x,y\n")
        for user in itertools.count():
            pipe.write("".join(f"{user}{line}" for line in lines).encode())
            pipe.flush()
            if select.select([terminal], [], [], 0.005)[0]:
                break

    arguments = ["-m", "humobctl", "data", "import", "--format", "humob"]
    assert "reading stdin" in on_terminal(arguments, feed=until_seen)


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours(env: dict[str, str], coloured: bool, tmp_path: Path) -> None:
    path = tmp_path / "faulty.csv"
    path.write_text(FAULTY)
    arguments = ["data", "mask", str(path), "--from-day", "60", "--on-error", "drop"]
    seen = on_terminal(["-m", "humobctl", *arguments], env=env)
    assert "warning:" in seen
    assert ("\x1b[" in seen) == coloured


def test_no_colours_in_a_pipe(cli: Cli) -> None:
    arguments = ("data", "mask", "--from-day", "60", "--on-error", "drop")
    assert "\x1b" not in cli(*arguments, input=FAULTY).err


def test_quiet_silences_warnings_but_not_errors(cli: Cli) -> None:
    arguments = ("data", "mask", "--from-day", "60")
    drop = ("--on-error", "drop")
    loud = cli(*arguments, *drop, input=FAULTY)
    says(loud.err, "warning:", "dropped 1 row")
    quiet = cli(*arguments, *drop, "--quiet", input=FAULTY)
    assert (quiet.code, quiet.err, quiet.out) == (0, "", loud.out)
    failed = cli(*arguments, "--quiet", input=FAULTY)
    fails(failed, "stdin", "row 49", "line 50", "column y", "'bad'")


def test_scores_are_json_in_a_pipe(cli: Cli) -> None:
    import json

    done = cli("data", "describe", input=ONE_DAY)
    assert done.err == ""
    assert json.loads(done.out)["users"] == 1


def test_table_in_a_pipe_is_not_folded() -> None:
    stream = io.StringIO()
    report.table("title", ("name", "value"), [("n" * 120, 1)], stream=stream, caption="[ok]")
    text = stream.getvalue()
    assert "n" * 120 in text
    assert "[ok]" in text


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_long_work_without_a_terminal_says_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(report, "time", clock)
    with report.progress("counting sheep", 50_000, "sheep") as ticker:
        for _ in range(40):
            clock.now += 1
            ticker.advance(1_000)
    with report.progress("reading a\x1b.csv", None, "B") as ticker:
        clock.now += 20
        ticker.advance(3_000_000)
    with report.heard(), report.progress("for another", 2) as ticker:
        clock.now += 20
        ticker.advance()
    assert capsys.readouterr().err.splitlines() == [
        "counting sheep: 10,000 of 50,000 sheep (20%), 1.0k sheep/s, 0:00:40 left",
        "counting sheep: 20,000 of 50,000 sheep (40%), 1.0k sheep/s, 0:00:30 left",
        "counting sheep: 30,000 of 50,000 sheep (60%), 1.0k sheep/s, 0:00:20 left",
        "counting sheep: 40,000 of 50,000 sheep (80%), 1.0k sheep/s, 0:00:10 left",
        r"reading a\x1b.csv: 3.0M B, 150.0k B/s",
    ]


@pytest.mark.parametrize(
    ("done", "rate"), [(2, "25.0 s per step"), (70, "1.4 steps/s"), (500, "10 steps/s")]
)
def test_a_slow_rate_is_seconds_per_unit(done: int, rate: str) -> None:
    assert report._Progress("training", done, None, "steps", 50).line.endswith(rate)


def test_lines_come_more_seldom_in_long_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(report, "time", clock)
    with report.progress("counting sheep", 3_600, "sheep") as ticker:
        for _ in range(3_600):
            clock.now += 1
            ticker.advance()
    at = [int(line.split()[2].replace(",", "")) for line in capsys.readouterr().err.splitlines()]
    steps = [after - before for before, after in itertools.pairwise([0, *at])]
    assert steps[:10] == [10] * 10  # seconds, as a sheep takes one
    assert steps == sorted(steps)
    assert set(steps[-40:]) == {60}


def test_a_command_without_a_terminal_says_how_far_it_is(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(report, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(report, "MOST_LINE_SECONDS", 0.0)
    synth = ("data", "synth", "--users", "20", "--days", "3", "-o", "city.csv")
    said = cli(*synth, cwd=tmp_path, env={report.LINES_VARIABLE: ""}).err
    says(said, "making people:", "20 of 20 users", "100%", "0:00:00 left")
    assert cli(*synth, "--quiet", cwd=tmp_path, env={report.LINES_VARIABLE: ""}).err == ""
    assert "making people:" not in cli(*synth, cwd=tmp_path, env={report.LINES_VARIABLE: "0"}).err


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (1234, "1.2k"), (5e6, "5.0M"), (2e9, "2.0G")]
)
def test_short_numbers(number: float, text: str) -> None:
    assert report._short(number) == text


def test_bar_of_a_notebook_is_one_line_that_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = type("Shell", (), {"kernel": object()})()
    kernel = type("IPython", (), {"get_ipython": staticmethod(lambda: shell)})
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setattr(report, "BAR_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(report, "REFRESH_SECONDS", 0.0)
    with report.progress("counting sheep", 4, "sheep") as ticker:
        ticker.advance(2)
    drawn = capsys.readouterr().err.split("\r")
    assert drawn[1].startswith("counting sheep  50%  ")
    assert drawn[1].endswith(" sheep/s")
    assert drawn[2:] == [" " * len(drawn[1]), ""]
