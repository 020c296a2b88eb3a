"""What people see: messages, progress bars and tables. The only place that imports rich.

Everything here goes to stderr, except score tables that a command prints to a terminal as its
result. A progress bar appears on a terminal or in a notebook, once the work has lasted a second;
elsewhere, as in the log of a cluster, a line every ten seconds, and every minute of long work.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TextIO

from humobctl.console.safe_text import hide_secrets, message, printable

BAR_AFTER_SECONDS = 1.0
REFRESH_SECONDS = 0.1
LINE_SECONDS = 10.0
LINES_VARIABLE = "HUMOBCTL_PROGRESS_SECONDS"
"""Seconds between lines of progress where there is no terminal; 0 for no lines."""
MOST_LINE_SECONDS = 60.0
_BEAT_SECONDS = 0.5


@dataclass
class _Settings:
    quiet: bool = False
    verbose: bool = False


settings = _Settings()


def configure(*, quiet: bool, verbose: bool) -> None:
    """Set how much this process says."""
    settings.quiet, settings.verbose = quiet, verbose


def quiet(silent: bool = True) -> ExitStack:
    """Say nothing from here on: no progress, no warnings; errors are raised all the same.

    Args:
        silent: False to speak again.

    Returns:
        A context manager, for who wants silence in a block only.

    Example:
        >>> with hm.quiet():
        ...     challenge = hm.mask("city.csv", from_day=60)
    """
    before = ExitStack()
    before.callback(setattr, settings, "quiet", settings.quiet)
    settings.quiet = silent
    return before


def _style(stream: TextIO, code: str, text: str) -> str:
    plain = (
        bool(os.environ.get("NO_COLOR")) or not stream.isatty() or os.environ.get("TERM") == "dumb"
    )
    return text if plain else f"\x1b[{code}m{text}\x1b[0m"


def error(text: str) -> None:
    """The one line that ends a failed command; printed even with --quiet.

    A reader who is gone does not change how the command ends.
    """
    with suppress(OSError):
        sys.stderr.write(f"{_style(sys.stderr, '1;31', 'error:')} {message(text)}\n")


_heard: list[tuple[str, str]] | None = None


@contextmanager
def heard() -> Iterator[list[tuple[str, str]]]:
    """Messages of the block as a list of kind and text, for who passes them on; none is printed."""
    global _heard  # noqa: PLW0603 - one process has one standard error
    before, _heard = _heard, []
    try:
        yield _heard
    finally:
        _heard = before


def warn(text: str) -> None:
    """Something the user should know about the result."""
    if _heard is not None:
        _heard.append(("warn", text))
    elif not settings.quiet:
        sys.stderr.write(f"{_style(sys.stderr, '33', 'warning:')} {message(text)}\n")


def info(text: str) -> None:
    """What was done, or how to go on; one line."""
    if _heard is not None:
        _heard.append(("info", text))
    elif not settings.quiet:
        sys.stderr.write(f"{message(text)}\n")


def lines(text: str) -> None:
    """Several lines for people: what a training would do, or where a program failed."""
    if not settings.quiet:
        sys.stderr.write(f"{printable(hide_secrets(text), lines=True)}\n")


def detail(text: str) -> None:
    """For --verbose only."""
    if _heard is not None:
        _heard.append(("detail", text))
    elif settings.verbose and not settings.quiet:
        sys.stderr.write(f"{_style(sys.stderr, '2', message(text))}\n")


@dataclass(frozen=True)
class _Progress:
    """How far a piece of work is.

    Attributes:
        label: what is done.
        done, total: units; the total is None where it is not known.
        unit: in the plural.
        seconds: since it began.
        pace: a rate and the time left that are known better than from these.
    """

    label: str
    done: float
    total: float | None
    unit: str
    seconds: float
    pace: Pace | None = None

    @property
    def rate(self) -> str:
        """Units per second, or seconds per unit; nothing before the first unit."""
        if self.pace is not None:
            return self.pace.rate
        return rate(self.done, self.seconds, self.unit) if self.done else ""

    @property
    def line(self) -> str:
        """All of it in one line: done, total, rate and time left."""
        some = _short if self.unit == "B" else "{:,.0f}".format
        share = f"{some(self.done)} {self.unit}"
        if self.total:
            percent = f"{self.done / self.total:.0%}"
            share = f"{some(self.done)} of {some(self.total)} {self.unit} ({percent})"
        left = None if self.left is None else f"{clock(self.left)} left"
        return f"{self.label}: {', '.join(part for part in (share, self.rate, left) if part)}"

    @property
    def left(self) -> float | None:
        """Seconds; None where they are not known."""
        if self.pace is not None:
            return self.pace.left
        if not self.total or not self.done or self.done > self.total:
            return None
        return (self.total - self.done) * self.seconds / self.done


class Pace(NamedTuple):
    """How fast a piece of work goes, by who knows it better than its ticker.

    Attributes:
        rate: in words; "" before it is known.
        left: seconds left, with what comes after the units; None before they are known.
    """

    rate: str
    left: float | None


def rate(done: float, seconds: float, unit: str) -> str:
    """Units per second in words; seconds per unit where these are slow."""
    found = done / max(seconds, 1e-9)
    if found < 1:
        return f"{seconds / done:.1f} s per {unit.removesuffix('s')}"
    return f"{found:.1f} {unit}/s" if found < 10 else f"{_short(found)} {unit}/s"


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


class _Lines:
    """Lines of a log, more and more seldom."""

    @staticmethod
    def wait(seconds: float) -> float:
        """Seconds to the next one, after so many since the beginning."""
        asked = os.environ.get(LINES_VARIABLE, "")
        if asked.isdigit():
            return float(asked) or math.inf
        return min(max(LINE_SECONDS, seconds / 10), MOST_LINE_SECONDS)

    def draw(self, now: _Progress) -> None:
        if _heard is None:
            sys.stderr.write(f"{message(now.line)}\n")
            sys.stderr.flush()

    def stop(self) -> None:
        pass


class _Moving:
    """What is drawn anew in its place."""

    @staticmethod
    def wait(seconds: float) -> float:
        """Seconds to the next time, after so many since the beginning."""
        return BAR_AFTER_SECONDS if seconds < BAR_AFTER_SECONDS else REFRESH_SECONDS


class _TerminalBar(_Moving):
    """A bar of rich's, which moves on a terminal."""

    def __init__(self) -> None:
        from rich import progress as bars  # noqa: PLC0415 - only once a bar is shown
        from rich.console import Console  # noqa: PLC0415

        self._bar = bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.TaskProgressColumn(),
            bars.TextColumn("{task.fields[rate]}", markup=False),
            bars.TextColumn("{task.fields[left]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=None, rate="", left="")

    def draw(self, now: _Progress) -> None:
        self._bar.update(
            self._task,
            completed=now.done,
            total=now.total,
            description=printable(now.label),
            rate=now.rate,
            left="-:--:--" if now.left is None else clock(now.left),
        )

    def stop(self) -> None:
        self._bar.stop()


class _NotebookBar(_Moving):
    """A line of text that is written over itself, which every notebook shows."""

    _width = 0

    def draw(self, now: _Progress) -> None:
        share = [f"{now.done / now.total:.0%}"] if now.total else []
        self._write("  ".join([printable(now.label), *share, now.rate]))

    def stop(self) -> None:
        self._write("")
        self._write("")  # once more, so that the line begins where the first one did

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text.ljust(self._width)}")
        sys.stderr.flush()
        self._width = len(text)


class Ticker:
    """Counts finished work; shows rate and time left when it lasts.

    Attributes:
        done: units.
        pace: a rate and the time left that are known better; None to compute them from ``done``.
    """

    pace: Callable[[], Pace] | None = None

    def __init__(
        self,
        label: str,
        total: float | None,
        unit: str,
        *,
        bar: type[_TerminalBar | _NotebookBar | _Lines] | None,
    ) -> None:
        self._label, self._total, self._unit, self._kind = label, total, unit, bar
        self._started = self._drawn = time.monotonic()
        self._bar: _TerminalBar | _NotebookBar | _Lines | None = None
        self._drawing = threading.Lock()
        self._closed = threading.Event()
        self._even = False
        self.done = 0.0

    def advance(self, amount: float = 1) -> None:
        """Say that ``amount`` more units are done."""
        self.move_to(self.done + amount)

    def move_to(self, done: float) -> None:
        """Say how many units are done in all."""
        self.done = done
        self._draw_if_due()

    def beat(self) -> None:
        """Draw from a second thread, too, until closed, and not more seldom: for long units."""
        self._even = True
        if self._kind is not None:
            threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        while not self._closed.wait(_BEAT_SECONDS):
            self._draw_if_due()

    def _draw_if_due(self) -> None:
        if self._kind is not None:
            with self._drawing:
                self._draw_now()

    def _draw_now(self) -> None:
        assert self._kind is not None
        now = time.monotonic()
        seconds = now - self._started
        if self._closed.is_set() or now - self._drawn < self._kind.wait(
            0.0 if self._even and self._bar else seconds
        ):
            return
        if self._bar is None:
            self._bar = self._kind()
        self._drawn = now
        pace = self.pace and self.pace()
        self._bar.draw(_Progress(self._label, self.done, self._total, self._unit, seconds, pace))

    def expect(self, more: float) -> None:
        """Say that ``more`` units are to come."""
        self._total = (self._total or 0) + more

    def describe(self, label: str) -> None:
        """Say more in the place of the label."""
        self._label = label

    def close(self) -> None:
        """Take the bar away."""
        self._closed.set()
        with self._drawing:
            self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def restore_terminal() -> None:
    """Show the cursor again, which a progress bar hides, when the process is cut short."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")
        sys.stderr.flush()


@contextmanager
def progress(label: str, total: float | None = None, unit: str = "rows") -> Iterator[Ticker]:
    """A ticker for a piece of work; ``total`` in the same unit, None where it is not known."""
    bar: type[_TerminalBar | _NotebookBar | _Lines] | None = None
    if not settings.quiet:
        bar = _NotebookBar if _in_notebook() else _TerminalBar if sys.stderr.isatty() else _Lines
    ticker = Ticker(label, total, unit, bar=bar)
    try:
        yield ticker
    finally:
        ticker.close()


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, whose stderr is not a terminal."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_shell is not None and hasattr(get_shell(), "kernel")


def _short(number: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return f"{number:.0f}"


@dataclass(frozen=True)
class TableText:
    """A table for people: the lines above and below it, its head, its cells as text.

    Attributes:
        title, caption: "" for none.
        columns, rows: (c,) names and rows of as many cells.
        left: how many columns are left-aligned.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    caption: str
    left: int


_captured: list[TableText] | None = None


@contextmanager
def captured_tables() -> Iterator[list[TableText]]:
    """Tables of the block as they would be printed, for another form; none is printed."""
    global _captured  # noqa: PLW0603 - as with ``heard``
    before, _captured = _captured, []
    try:
        yield _captured
    finally:
        _captured = before


def table(
    title: str | Sequence[str],
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    stream: TextIO | None = None,
    caption: str | None = None,
    left: int = 1,
) -> None:
    """Print a table for people.

    Args:
        title: the line above it, or several.
        columns: their names.
        rows: the cells, formatted already or ``str()``-ed here.
        stream: stderr unless given.
        caption: a line below it, such as the signature of the scores.
        left: how many columns are left-aligned; the others are right-aligned.
    """
    above = title if isinstance(title, str) else "\n".join(title)
    if _captured is not None:
        cells = [[str(cell) for cell in row] for row in rows]
        _captured.append(TableText(above, list(columns), cells, caption or "", left))
        return
    from rich.console import Console  # noqa: PLC0415 - rich is not needed to start up
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    target = stream or sys.stderr
    # A pipe has no width of its own: never fold a number there.
    width = None if target.isatty() else 200
    console = Console(file=target, width=width, highlight=False, soft_wrap=False)

    def plain(*lines: object) -> Text:  # texts would be read as rich's markup
        return Text("\n".join(printable(str(line)) for line in lines))

    heading = (plain(title) if isinstance(title, str) else plain(*title)) if title else None
    grid = Table(title=heading, title_justify="left", title_style="bold")
    for index, name in enumerate(columns):
        justify: Any = "left" if index < left else "right"
        grid.add_column(plain(name), justify=justify, overflow="fold")
    for row in rows:
        grid.add_row(*(plain(cell) for cell in row))
    console.print(grid)
    if caption:
        console.print(plain(*caption.splitlines()), style="dim")
