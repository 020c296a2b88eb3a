"""Servers of language models that do what servers do wrong, one behaviour at a time."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attack.workers import Outcome
from tests.conftest import POPULATION, run_cli
from tests.intend.chat_server import KEY, Behaviour, Json, Reply, serving, well
from tests.intend.server_faults import FAULTS, REFUSALS, THINKING, refusing, thinking

MOST_SECONDS = 120
MOST_BYTES = 2 << 30
FIELDS = ("seed", "temperature", "max_tokens", "response_format", "system")
INTEND = ("intend", "population.csv", "--count", "3", "--backend", "openai", "--model", "loopback")
INTEND += ("--timeout", "2", "--output", "plans.csv", "--report", "report.json")


def behaviours() -> Iterator[tuple[str, Behaviour]]:
    """Each fault always, each for every other question, refusals of every field, thinking."""
    for name, reply in FAULTS.items():
        yield f"{name}, always", _always(reply)
        yield f"{name}, every third time", _sometimes(reply)
    for form in REFUSALS:
        for field in FIELDS:
            yield f"refuses {field} as {form}", refusing(form, field)
    for name in THINKING:
        yield f"thinks as {name}", thinking(name)
        yield f"thinks as {name}, cut off", thinking(name, cut=True)


def attack() -> Outcome:
    """Ask each server for plans of three people: plans or one line, in bounded time and memory."""
    outcome = Outcome()
    for number, (name, behave) in enumerate(behaviours()):
        with tempfile.TemporaryDirectory() as place, serving(behave) as server:
            Path(place, "population.csv").write_text(POPULATION)
            start = time.monotonic()
            done = run_cli(
                *(*INTEND, "--base-url", server.url), cwd=Path(place), env={"OPENAI_API_KEY": KEY}
            )
            seconds = time.monotonic() - start
            wrong = _faults(Path(place), done.code, done.out + done.err)
            wrong += [f"{seconds:.0f} s"] if seconds > MOST_SECONDS else []
            outcome.tried += 1
            outcome.refused += done.code == 1
            if wrong:
                outcome.findings[number] = f"{name}: {', '.join(wrong)}"
    outcome.most_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    if outcome.most_bytes > MOST_BYTES:
        outcome.findings[-1] = f"{outcome.most_bytes >> 20} MB of memory"
    return outcome


def _always(reply: Reply) -> Behaviour:
    return lambda _request, _number: reply


def _sometimes(reply: Reply) -> Behaviour:
    def behave(request: Json, number: int) -> Reply:
        return well(request, number) if number % 3 else reply

    return behave


def _faults(folder: Path, code: int, said: str) -> list[str]:
    found = [f"exit {code}: {said[-300:]}"] if code not in (0, 1) else []
    found += [said[-300:]] if "internal:" in said or "Traceback" in said else []
    files = [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
    found += ["the key is told"] if any(KEY in text for text in [said, *files]) else []
    plans, report = folder / "plans.csv", folder / "report.json"
    if plans.is_file() and "DRAFT" in plans.read_text():
        found.append("a draft became a plan")
    if code == 0 and report.is_file():
        told = json.loads(report.read_text())
        found += ["a report without plans"] if not told else []
    return found
