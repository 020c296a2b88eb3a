"""Day plans from profiles, by the planner or a language model."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict, Unpack

from humobctl.api.first_look import check_first_look, draw_first_look
from humobctl.api.options import (
    Between,
    Count,
    EngineName,
    OnError,
    OutputFormat,
    Seed,
    Weekday,
    Workers,
    check_choice,
)
from humobctl.api.signatures import public
from humobctl.api.tables import (
    ModelDir,
    PathName,
    Source,
    as_path,
    paths_of,
    summary,
    write_to_frame,
)
from humobctl.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

    from humobctl.execution.run import LongRun
    from humobctl.intend.backends.base import BackendSettings


class LanguageModelOptions(TypedDict, total=False):
    """Options of the backends openai and hf.

    Attributes:
        model: model to ask: its name on the server (openai), or a folder, a GGUF file or a hub name
            (hf); needed by both.
        base_url: URL of the server, up to /v1 (openai). Default: the variable OPENAI_BASE_URL, or
            OpenAI.
        concurrency: number of simultaneous conversations (openai). Default: 8.
        retries: number of retries of a failed request (openai). Default: 5.
        timeout: timeout of a request in seconds (openai). Default: 120.
        temperature: sampling temperature (openai, hf). Default: 1.
        answer_tokens: maximum number of tokens per answer (openai, hf). Default: 512.
        plans_per_template: number of people with the same attributes and weekday who share one
            conversation; the plans of all but the first are jittered by up to 10 minutes (openai,
            hf). Default: 1.
        price_input: price per million input tokens, to report the cost (openai). Default: no cost
            is reported.
        price_output: price per million output tokens, to report the cost (openai). Default: no cost
            is reported.
        max_cost: stop before this run costs more (openai). Default: no limit.
        max_tokens_total: stop before this run uses more tokens (openai). Default: no limit.
        extra_body: JSON object of fields to add to each request, such as {"chat_template_kwargs":
            {"enable_thinking": false}} (openai). Default: none.
        journal: file that keeps every answer, so that none is paid for twice (openai). Default:
            OUTPUT.journal.jsonl; for standard output intend.journal.jsonl.
        adapter: adapter dir (LoRA, peft) to load on top of the model (hf). Default: none.
        device: device to compute on (hf). Default: auto.
        precision: numeric precision (hf). Default: auto, which is bf16 where the processor has
            it, or fp32.
        batch_size: number of conversations per batch (hf). Default: 16.
    """

    model: str | None
    base_url: str | None
    concurrency: Annotated[int, Between(1, 1024)] | None
    retries: Annotated[int, Between(0, 100)] | None
    timeout: Annotated[float, Between(0.1, 86_400)] | None
    temperature: Annotated[float, Between(0, 2)] | None
    answer_tokens: Annotated[int, Between(64, 1_000_000)] | None
    plans_per_template: Count | None
    price_input: Annotated[float, Between(0)] | None
    price_output: Annotated[float, Between(0)] | None
    max_cost: Annotated[float, Between(0)] | None
    max_tokens_total: Count | None
    extra_body: str | None
    journal: PathName | None
    adapter: ModelDir | None
    device: Literal["auto", "cpu", "cuda", "mps"] | None
    precision: Literal["auto", "fp32", "bf16", "fp16"] | None
    batch_size: Annotated[int, Between(1, 4096)] | None


@public(recorded=True)
def intend(
    profiles: Source,
    *,
    backend: Literal["planner", "openai", "hf"] = "planner",
    count: Annotated[int, Between(1, 100_000_000)] | None = None,
    days: Annotated[int, Between(1, 10_000)] = 1,
    weekday: Weekday = "monday",
    independent_days: bool = False,
    without: Collection[str] | None = None,
    calibrate: Source | None = None,
    save_calibration: PathName | None = None,
    seed: Seed = 0,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    plot: PathName | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    workers: Workers | None = None,
    resume: bool = False,
    overwrite: bool = False,
    people: PathName | None = None,
    report: PathName | None = None,
    distill: PathName | None = None,
    distill_form: Literal["messages", "alpaca", "sharegpt"] = "messages",
    on_error: OnError = "fail",
    **options: Unpack[LanguageModelOptions],
) -> pl.DataFrame:
    """Plan people's days: what they intend to do, when, and why.

    The planner follows the chain of Chain-of-Planned-Behaviour (CoPB): attitude, norm, control,
    then one intention after another (Theory of Planned Behaviour, Ajzen 1991). ``openai`` and
    ``hf`` ask a language model the same chain. A plan of the planner depends on seed, person and
    day alone; habits of a person persist over the days.

    Args:
        profiles: profiles (uid or profile_id, education, gender, consumption, occupation), one row
            per person, or per group of people with their count.
        backend: planner to use: the built-in planner, or a language model on a server (openai) or
            on this machine (hf).
        count: number of people to plan, drawn by the counts of the profiles. Default: all.
        days: number of days to plan, from day 0.
        weekday: day of the week of day 0.
        independent_days: draw each day anew, without habits that persist from day to day; planner
            only.
        without: part of the chain to leave out, for ablation: attitude, norm or control. Default:
            none.
        calibrate: calibrate the planner to visits of a city (how many, when, how long, in which
            order), or use a calibration (.json) of ``save_calibration``; planner only. Default: the
            distributions published for Beijing.
        save_calibration: also write the calibration to this file (.json).
        plot: draw activities by hour, intent and duration, as 'data describe --plot' does: a .png,
            .svg or .html file (extra plot).
        people: also write the profile of each planned person to this file.
        report: also write a report of the run (failures, tokens, cost) to this file, as JSON.
        distill: also write instruction-tuning records to this file, one line of JSON per decision.
        distill_form: form of these records: chat messages (OpenAI) with profile and reasoning,
            or alpaca or sharegpt as LLaMA-Factory reads them.

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
    from humobctl.execution.run import LongRun
    from humobctl.intend.backends.base import BACKENDS
    from humobctl.intend.distill import make_recorded, recorder
    from humobctl.intend.planner.calibration_file import calibrated_to
    from humobctl.intend.planner.calibration_file import save_calibration as save_calibration_file
    from humobctl.intend.population import read_population
    from humobctl.intend.run import IntendJob, write_plans
    from humobctl.tables.schemas import INTENTIONS

    check_choice("--backend", backend, BACKENDS)
    if distill is None and distill_form != "messages":
        raise UsageError("--distill-form needs --distill")
    if independent_days and backend != "planner":
        raise UsageError(f"--independent-days needs --backend planner, found {backend}")
    settings = _settings(
        seed=seed, days=days, weekday=weekday, without=without, habits=not independent_days
    )
    target, records_to, people_to, report_to = map(as_path, (output, distill, people, report))
    chosen: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if backend == "openai":
        chosen.setdefault("journal", _journal_beside(target))
    calibration_to = _calibration_target(backend, calibrate, as_path(save_calibration))
    files = {"output": target, "people": people_to, "report": report_to, "distill": records_to}
    files["save_calibration"] = calibration_to
    picture = check_first_look(plot, target, format)
    _distinct(**files, journal=chosen.get("journal"), plot=picture)
    if target is None and resume:
        raise UsageError("--resume needs --output")

    def write(place: str) -> int:
        long = LongRun(place, engine, address, workers, resume, overwrite)
        _refuse_engine(backend, long, records_to)
        population = read_population(path, count=count, seed=seed, on_error=on_error)
        if visits_at is not None:
            chosen["weights"] = calibrated_to(visits_at, population, on_error)
            if calibration_to is not None:
                save_calibration_file(chosen["weights"], calibration_to)
        with recorder(records_to, distill_form) as records:
            maker = make_recorded(BACKENDS[backend], settings, chosen, records)
            job = IntendJob(population, maker, settings)
            write_plans(job, place, format=format, people=people_to, report_to=report_to, long=long)
        return job.outcome.events

    with paths_of(profiles, calibrate) as (path, visits_at):
        frame, rows = write_to_frame(target, format, write)
        draw_first_look(picture, INTENTIONS, frame, target)
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
    from humobctl.intend.show_prompt import show_prompt

    settings = _settings(seed=seed, days=1, weekday=weekday, without=without)
    with paths_of(profiles) as (path,):
        return show_prompt(
            read_population(path, count=count, seed=seed, on_error=on_error), settings
        )


def _settings(
    *, seed: int, days: int, weekday: str, without: Collection[str] | None, habits: bool = True
) -> BackendSettings:
    from humobctl.intend.backends.base import WEEKDAYS, BackendSettings, parse_parts

    day = WEEKDAYS.index(check_choice("--weekday", weekday, WEEKDAYS))
    return BackendSettings(seed, days, day, parse_parts(without), habits)


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


def _calibration_target(backend: str, visits: Any, target: str | None) -> str | None:
    """Where the calibration goes.

    Raises:
        UsageError: there is none, or the backend is not the planner.
    """
    if visits is not None and backend != "planner":
        raise UsageError(f"--calibrate needs --backend planner, found {backend}")
    if target is not None and visits is None:
        raise UsageError("--save-calibration needs --calibrate")
    return target


def _refuse_engine(backend: str, long: LongRun, distill: str | None) -> None:
    """See that a run in parts, or on a cluster, is one of the planner.

    Raises:
        UsageError: a language model, whose plans depend on who comes before; or records beside.
    """
    if backend == "planner":
        if distill is not None and (long.resume or long.engine == "ray"):
            option = "--resume" if long.resume else "--engine ray"
            raise UsageError(
                f"{option} cannot be combined with --distill, which writes all records in one run"
            )
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
