"""Day plans from profiles, by the planner or a language model."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from humobctl.api.files import PathName
from humobctl.api.options import EngineName, OnError, check_choice
from humobctl.api.tables import Source, as_path, framed, paths_of, summary
from humobctl.errors import UsageError
from humobctl.execution.run import LongRun

if TYPE_CHECKING:
    from humobctl.intend.backends.base import BackendSettings


def intend(
    profiles: Source,
    *,
    backend: Literal["planner", "openai", "hf"] = "planner",
    count: int | None = None,
    days: int = 1,
    weekday: str = "monday",
    without: Collection[str] | None = None,
    seed: int = 0,
    output: PathName | None = None,
    format: str | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    workers: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    people: PathName | None = None,
    report: PathName | None = None,
    distill: PathName | None = None,
    on_error: OnError = "fail",
    **options: Any,
) -> pl.DataFrame:
    """Plan people's days: what they intend to do, when, and why.

    The planner follows the chain of Chain-of-Planned-Behaviour (CoPB): attitude, norm, control,
    then one intention after another (Theory of Planned Behaviour, Ajzen 1991). ``openai`` and
    ``hf`` ask a language model the same chain. A plan of the planner depends on seed, person and
    day alone.

    Args:
        profiles: uid or profile_id, education, gender, consumption, occupation, a row a person;
            or a row for each kind of people with their count.
        backend: what makes the plans.
        count: people to draw, by the counts of the profiles; everybody by default.
        days: to plan, from day 0.
        weekday: of day 0.
        without: parts of the chain to leave out: attitude, norm, control.
        seed: of all random choices.
        output: file or folder to write in parts.
        format: of ``output``; by default its ending decides.
        engine: in this process, or on a Ray cluster (extra ray; planner only).
        address: of the Ray cluster to join.
        workers: maximum number of Ray workers.
        resume: go on with the finished parts that lie in ``OUTPUT.parts``.
        overwrite: throw away an unfinished run in ``OUTPUT.parts``.
        people: file for who the people are: their profiles.
        report: file for how it went, as JSON.
        distill: file for instruction-tuning records, a line of JSON a decision.
        on_error: stop at the first bad row, or drop bad rows.
        **options: of the backends that ask a language model: model, base_url, concurrency,
            retries, timeout, temperature, answer_tokens, plans_per_template, price_input,
            price_output, max_cost, max_tokens_total, extra_body, journal, adapter, device,
            precision, batch.

    Returns:
        Intentions (uid, d, seq, intent, start_min, end_min, reason), minutes from 0:00; with
        ``output`` one row that says how many rows went there.

    Raises:
        HumobError: the profiles cannot be read, or no plan could be made.
        UsageError: options that do not go together.

    Example:
        >>> plans = hm.intend("profiles.csv", days=2, seed=1)
        >>> plans["intent"][0]
        'go home'
    """
    from humobctl.intend.backends.base import BACKENDS
    from humobctl.intend.distill import make_recorded, recorder
    from humobctl.intend.population import read_population
    from humobctl.intend.run import IntendJob, write_plans

    check_choice("--backend", backend, BACKENDS)
    settings = _settings(seed=seed, days=days, weekday=weekday, without=without)
    target, records_to, people_to, report_to = map(as_path, (output, distill, people, report))
    chosen = {name: value for name, value in options.items() if value is not None}
    if backend == "openai":
        chosen.setdefault("journal", _journal_beside(target))
    files = {"output": target, "people": people_to, "report": report_to, "distill": records_to}
    _distinct(**files, journal=chosen.get("journal"))
    if target is None and resume:
        raise UsageError("--resume goes with --output")

    def write(place: str) -> int:
        long = LongRun(place, engine, address, workers, resume, overwrite)
        _refuse_engine(backend, long, records_to)
        population = read_population(path, count=count, seed=seed, on_error=on_error)
        with recorder(records_to) as records:
            maker = make_recorded(BACKENDS[backend], settings, chosen, records)
            job = IntendJob(population, maker, settings)
            write_plans(job, place, format=format, people=people_to, report_to=report_to, long=long)
        return job.outcome.events

    with paths_of(profiles) as (path,):
        frame, rows = framed(target, format, write)
    return frame if target is None else summary(target, rows=rows)


def first_prompt(
    profiles: Source,
    *,
    count: int | None = None,
    weekday: str = "monday",
    without: Collection[str] | None = None,
    seed: int = 0,
    on_error: OnError = "fail",
) -> str:
    """The whole conversation with a language model for the first person, with example answers.

    Raises:
        HumobError: the profiles cannot be read.
    """
    from humobctl.intend.population import read_population
    from humobctl.intend.show_prompt import shown

    settings = _settings(seed=seed, days=1, weekday=weekday, without=without)
    with paths_of(profiles) as (path,):
        return shown(read_population(path, count=count, seed=seed, on_error=on_error), settings)


def _settings(
    *, seed: int, days: int, weekday: str, without: Collection[str] | None
) -> BackendSettings:
    from humobctl.intend.backends.base import WEEKDAYS, BackendSettings, parse_parts

    day = WEEKDAYS.index(check_choice("--weekday", weekday, WEEKDAYS))
    return BackendSettings(seed, days, day, parse_parts(without))


def _distinct(**files: str | None) -> None:
    """See that no two options name the same file.

    Raises:
        UsageError: two do.
    """
    seen: dict[str | None, str] = {}
    for option, file in files.items():
        other = seen.setdefault(file, option) if file not in (None, "-") else option
        if other != option:
            raise UsageError(f"--{other} and --{option}: found the same file, expected one each")


def _refuse_engine(backend: str, long: LongRun, distill: str | None) -> None:
    """See that a run in parts, or on a cluster, is one of the planner.

    Raises:
        UsageError: a language model, whose plans depend on who comes before; or records beside.
    """
    if backend == "planner":
        if distill is not None and (long.resume or long.engine == "ray"):
            option = "--resume" if long.resume else "--engine ray"
            raise UsageError(f"{option}: found --distill, whose records are made in one go")
        return
    if long.engine == "ray":
        raise UsageError(
            f"--engine ray: found --backend {backend}, expected planner; plans of a language model "
            "depend on who comes before"
        )
    if long.into_folder:
        raise UsageError(f"--output: found a folder, expected a file with --backend {backend}")
    if long.resume and backend == "hf":
        raise UsageError(
            "--resume: found --backend hf, which keeps nothing, expected planner or openai"
        )


def _journal_beside(output: str | None) -> str:
    """Where the journal is when nothing else is said."""
    return "intend.journal.jsonl" if output in (None, "-") else f"{output}.journal.jsonl"
