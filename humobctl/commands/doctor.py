"""``humobctl doctor``: what is installed, and what works here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

import humobctl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from humobctl.doctor.machine import Fact
    from humobctl.doctor.packages import Package
    from humobctl.doctor.smoke_test import StepOutcome

ReportFormat = Literal["table", "json"]


def doctor(
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test", help="Also run commands on a small city; takes less than 30 seconds."
        ),
    ] = False,
    format: Annotated[
        ReportFormat,
        typer.Option("--format", "-f", metavar="table|json", help="Format of the report."),
    ] = "table",
) -> None:
    """Report what is installed and what works here.

    Versions, processor, memory, GPUs, folders for temporary files and for downloaded models, and
    how to install missing optional parts. The exit code is 1 if something that humobctl needs is
    broken, or if a step of --self-test fails.

    Example: humobctl doctor

    Example: humobctl doctor --format json
    """
    import tempfile
    from pathlib import Path

    from humobctl.console import report
    from humobctl.doctor import machine, packages
    from humobctl.doctor import smoke_test as test

    parts, facts = packages.parts(), list(machine.facts())
    outcomes: list[StepOutcome] = []
    if self_test and machine.temporary() is not None:
        with (
            tempfile.TemporaryDirectory(prefix="humobctl-", ignore_cleanup_errors=True) as folder,
            report.progress("self-test", len(test.STEPS), "steps") as ticker,
        ):
            for outcome in test.run(Path(folder), parts):
                outcomes.append(outcome)
                ticker.advance()
    healthy = (
        not any(fact.broken for fact in facts)
        and all(part.ok for part in parts if not part.extra)
        and all(outcome.state != "failed" for outcome in outcomes)
    )
    show = _as_json if format == "json" else _as_tables
    show(parts, facts, outcomes, healthy)
    if not healthy:
        raise typer.Exit(1)


def _as_tables(
    parts: Sequence[Package], facts: Sequence[Fact], outcomes: Sequence[StepOutcome], healthy: bool
) -> None:
    import sys

    from humobctl.console import report

    out = sys.stdout
    rows = [(fact.name, fact.found, fact.state) for fact in facts]
    title = f"humobctl {humobctl.__version__}"
    report.table(title, ("machine", "found", "state"), rows, stream=out, left=3)
    report.table(
        "packages", ("package", "version", "for", "state"), _by_name(parts), stream=out, left=4
    )
    if outcomes:
        steps = [(o.step, o.state, f"{o.seconds:.1f}", o.detail) for o in outcomes]
        title = f"self-test, {sum(o.seconds for o in outcomes):.1f} s"
        report.table(title, ("step", "state", "seconds", "seen"), steps, stream=out, left=2)
    for line in _commands(parts):
        out.write(f"{line}\n")
    if not healthy:
        report.info("a required part is broken: see the states above")


def _commands(parts: Sequence[Package]) -> list[str]:
    """What installs the extras of which something is missing: lines to copy, so never folded."""
    from humobctl.console.safe_text import printable

    missing = {part.extra: part.install for part in parts if not part.ok}
    commands = [f"  {extra or 'humobctl'}: {command}" for extra, command in missing.items()]
    return [printable(line) for line in ["to install what is missing:", *commands] if commands]


def _by_name(parts: Sequence[Package]) -> list[tuple[str, str, str, str]]:
    """A row a package, with all the parts that need it; the smallest of them mends it."""
    rows = []
    sizes = {
        extra: sum(part.extra == extra for part in parts) for extra in {p.extra for p in parts}
    }
    for name in dict.fromkeys(part.name for part in parts):
        needed = sorted((p for p in parts if p.name == name), key=lambda p: sizes[p.extra])
        core = [part for part in needed if not part.extra]
        told = (core or [part for part in needed if not part.ok] or needed)[0]
        use = "all" if core else ", ".join(part.extra for part in needed)
        rows.append((name, told.version or "-", use, told.state))
    return rows


def _as_json(
    parts: Sequence[Package], facts: Sequence[Fact], outcomes: Sequence[StepOutcome], healthy: bool
) -> None:
    import json
    from dataclasses import asdict

    told = {
        "humobctl": humobctl.__version__,
        "healthy": healthy,
        "machine": [asdict(fact) for fact in facts],
        "packages": [
            {**asdict(part), "state": part.state, "install": part.install} for part in parts
        ],
        "self_test": [asdict(outcome) for outcome in outcomes],
    }
    from humobctl.io.write import write_stdout_text

    write_stdout_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
