"""Prediction: masked cells filled by any model, why, and whether a submission is valid."""

from __future__ import annotations

from contextlib import ExitStack
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, Literal

from humobctl.api.model import ModelSource
from humobctl.api.options import (
    Between,
    Day,
    Device,
    EngineName,
    Fraction,
    OnError,
    OutputFormat,
    Precision,
    Seed,
    Weekday,
    Workers,
    read_calendar,
    weekday_number,
)
from humobctl.api.signatures import public, refuse_others
from humobctl.api.tables import (
    PathName,
    Source,
    Sources,
    as_path,
    deliver,
    paths_of,
    several,
    summary,
    write_to_frame,
)
from humobctl.console import report
from humobctl.console.words import flag, pluralize
from humobctl.errors import UsageError
from humobctl.io.run_record import note_settled

if TYPE_CHECKING:
    import polars as pl

    from humobctl.predict.run import PredictJob, Targets


@public(recorded=True)
def predict(
    table: Source,
    *,
    task: Literal["masked", "next"] = "masked",
    model: ModelSource | None = None,
    top_k: Annotated[int, Between(1, 1000)] | None = None,
    probabilities: PathName | None = None,
    history: Sources = (),
    targets: Literal["next", "last", "all"] = "next",
    rolling: bool = False,
    decode: str = "day",
    from_day: Day | None = None,
    to_day: Day | None = None,
    use_future: bool = False,
    full: bool = False,
    top_p: Fraction = 0.9,
    blend: float | str = "auto",
    city: str | None = None,
    device: Device = "auto",
    precision: Precision = "fp32",
    template: str | None = None,
    base: str | None = None,
    candidates: Literal["own", "near", "all"] = "own",
    batch_size: Annotated[int, Between(1, 4096)] | None = None,
    quantization: Literal["none", "8bit", "4bit"] = "none",
    base_url: str | None = None,
    extra_body: str | None = None,
    journal: PathName | None = None,
    concurrency: Annotated[int, Between(1, 1024)] = 8,
    covariates: Source | None = None,
    calendar: Source = "auto",
    first_weekday: Weekday = "sunday",
    seed: Seed = 0,
    output: PathName | None = None,
    format: OutputFormat | None = None,
    engine: EngineName = "local",
    address: str | None = None,
    workers: Workers | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Predict masked cells of a grid trajectory, hidden days of flows, or next records of sessions.

    Args:
        table: grid trajectory; the cells to predict are masked (x = y = 999), or chosen with
            ``from_day``. Or a flow series with hidden days. With ``task`` next: sessions,
            check-ins, visits or cells.
        task: prediction task: masked cells (masked), or the place of each next record of a session
            from the records before it (next).
        model: model: history, mode, slot-mode, weekday-mode or markov, or a model dir; with
            ``task`` next most-frequent, markov, markov-2, or a model dir of ``train_next``; of a
            flow series mean-after, mean-around, linear, same-weekday, boundary, ridge, state-space
            or ensemble. Default: history, with ``task`` next markov, of a flow series ensemble.
        top_k: number of candidates to write for each row, the most probable first, as uid, d, t,
            rank, x, y and p. Probabilities of history and ranker sum to less than 1: the rest is
            that of cells new to the user. Default: one cell, as ``decode`` chooses it; with
            ``task`` next 20.
        probabilities: also write the whole distribution of each masked row to this file, such as
            all.parquet: uid, d, t, x, y and p of every cell with a probability, the most probable
            of a row first; last, without x and y, what is left for cells new to the user.
        history: earlier records, which all predictions may use (``task`` next), such as the train
            part of ``split``. Default: none.
        targets: records to predict (``task`` next): all but the first of each session (next), the
            last of each session (last), or all.
        rolling: also use the earlier sessions of ``table`` (``task`` next).
        decode: decoding strategy. day: jointly decode each user-day for the best expected score;
            day:W weights GEO-BLEU (1) against DTW (0). thorough, thorough:W: the same with more
            sample days, a little better, and slower. Per slot: argmax (most probable cell),
            geobleu (maximum expected proximity), dtw (minimum expected distance), sample (nucleus
            sampling).
        from_day: predict all rows from this day on, masked or not. Default: the masked rows.
        to_day: last day to predict, with ``from_day``; later days are not read. Default: the last
            day of the table.
        use_future: also read the days after ``to_day``, to fill a gap from both sides.
        full: write all rows, known and predicted.
        top_p: probability mass for nucleus sampling (``decode`` sample).
        blend: weight of the history baseline in the mixture with a trained model, 0 to 1; auto:
            the weight learnt in training.
        city: name of the city, needed for a model trained on several.
        precision: numeric precision of matrix products (models based on torch).
        template: prompt template of a language model: compact or llama3-8b-mob. Default: the one
            of its training.
        base: base model under a LoRA adapter. Default: the one that the adapter names.
        candidates: candidate cells for a language model: the user's own, also their neighbours
            (near), or all (template llama3-8b-mob).
        batch_size: number of users per batch (language models). Default: chosen from the template
            and the device.
        quantization: quantization of a language model's weights (bitsandbytes, on CUDA): none, 8bit
            or 4bit.
        base_url: URL of an OpenAI-compatible server, up to /v1, that serves ``model`` (vLLM,
            llama.cpp). Default: the model runs on this machine.
        extra_body: JSON object of fields to add to each request to the server. Default: none.
        journal: file that keeps the server's answers, so that none is asked for twice. Default:
            OUTPUT.journal.jsonl.
        concurrency: number of simultaneous requests to the server.
        covariates: table of date, cell and value, what is known of cells on given and hidden days
            beside their flows (flow series; models state-space and ensemble). Default: none.

    Returns:
        The predicted rows (uid, d, t, x, y) in order of uid, d and t, or their candidates; of a
        flow series the hidden days (date, origin, destination, flow) in order of the dates; with
        ``task`` next, for each record its candidates by rank (uid, session, step, datetime, rank,
        place_id, lat, lon, p; of cells d, t, x, y instead); with ``output`` one row that says how
        many went there.

    Raises:
        HumobError: the table or the model cannot be read, or there is nothing to predict.
        UsageError: no such model or decoder, or options that do not go together.

    Example:
        >>> predicted = hm.predict("challenge.csv", model="slot-mode", decode="argmax")
        >>> predicted.filter(x=999).height
        0
    """
    options = dict(locals())
    from humobctl.data.importers.table_kind import kind_of
    from humobctl.execution.run import LongRun
    from humobctl.execution.side_table import SideTable
    from humobctl.io.output_lock import reserve_early
    from humobctl.io.outputs import check_distinct
    from humobctl.io.write import check_output, write_table
    from humobctl.predict.run import PredictTally
    from humobctl.predict.run import predict as predicted_batches
    from humobctl.tables.schemas import CELL_PROBABILITIES, FLOW_SERIES

    target = as_path(output)
    if task == "next":
        return _predict_next(options)
    refuse_others(predict, {name: options[name] for name in _NEXT_ONLY}, "--task masked")
    if top_k is not None:
        refuse_others(predict, {"decode": decode, "full": full}, "--top-k")
    job = _job(
        model=model,
        decode=decode,
        from_day=from_day,
        to_day=to_day,
        use_future=use_future,
        full=full,
        top_p=top_p,
        blend=blend,
        city=city,
        device=device,
        precision=precision,
        template=template,
        base=base,
        candidates=candidates,
        batch_size=batch_size,
        quantization=quantization,
        base_url=base_url,
        extra_body=extra_body,
        journal=journal,
        concurrency=concurrency,
        calendar=calendar,
        first_weekday=first_weekday,
        seed=seed,
        output=target,
        on_error=on_error,
        top_k=top_k,
        probabilities=probabilities,
    )
    whole = as_path(probabilities)
    check_distinct({"--output": target, "--journal": as_path(journal), "--probabilities": whole})
    if whole is not None:
        check_output(whole, CELL_PROBABILITIES)
    if engine == "ray" and base_url is not None:
        raise UsageError(
            "--engine ray: found --base-url, where the server does the work; use --concurrency"
        )
    tally = PredictTally()
    long = LongRun(target, engine, address, workers, resume, overwrite)
    if whole is not None and long.into_folder:
        raise UsageError("--output: found a folder, expected a file with --probabilities")
    with paths_of(table, covariates) as (path, known), reserve_early(whole), ExitStack() as stack:
        if kind_of(path) is FLOW_SERIES:
            return _predict_flows({**options, "table": path, "covariates": known})
        refuse_others(predict, {"covariates": known}, "a grid trajectory")
        note_settled(model=job.model)
        beside = None if whole is None else stack.enter_context(SideTable(CELL_PROBABILITIES))
        batches = predicted_batches(path, job, tally, long, beside)
        done = deliver(batches, job.table, long, format)
        if beside is not None:
            write_table(beside, whole, table=CELL_PROBABILITIES)
    report.detail(
        f"predicted {pluralize(tally.rows, 'row')} of {pluralize(tally.users, 'user')} with "
        f"{job.model}"
    )
    return done


@public()
def explain(
    table: Source, uid: int, *, plot: PathName | None = None, **options: Any
) -> pl.DataFrame:
    """Why a model would choose the cells it would predict for one user.

    Args:
        table: grid trajectory, as for ``predict``.
        uid: the user.
        plot: draw the candidates of the first day on a map and by half hour, with their
            probabilities: a .png, .svg or .html file (extra plot).
        **options: those of ``predict`` that choose the model and the rows, output and format.

    Returns:
        A row a slot: d, t, the chosen cell x, y, its probability p and rank, the most probable
        cell (best_x, best_y, best_p); term, what the decoder chose x, y for instead of it
        (probability where they are one cell; geobleu, dtw: expected scores of the day; proximity,
        distance: to the true cell; copies: how often the day holds the cell; draw), gain_geobleu
        to gain_distance, what each term gains, copied_day, the past day that the cell may be
        copied from; and what the user's past says of the chosen cell: visits, near_slot (within
        an hour of the slot), same_weekday, last_day, home_km; with ``output`` one row that says
        how many went there.

    Raises:
        HumobError: the user is not there, or has nothing to predict.
        UsageError: an option that ``predict`` or this function does not take.

    Example:
        >>> hm.explain("challenge.csv", 19, model="mode", decode="argmax")["rank"].max()
        1
    """
    from humobctl.io.outputs import check_distinct
    from humobctl.io.write import write_table
    from humobctl.plots.files import check_plot
    from humobctl.predict.explain import explain as reasons_of

    picture = as_path(plot)
    if picture is not None:
        check_plot(picture)
        check_distinct({"--output": as_path(options.get("output")), "--plot": picture})
    takes = signature(_job).parameters.keys() - {"top_k", "probabilities"}
    target, format = as_path(options.get("output")), options.pop("format", None)
    for name in options.keys() - takes:
        raise UsageError(f"{flag(name)} cannot be combined with --explain")
    defaults = {name: signature(predict).parameters[name].default for name in takes}
    with paths_of(table) as (path,):
        reasons = reasons_of(path, uid, _job(**{**defaults, **options}), picture=picture)
    if target is None:
        return reasons
    return summary(target, rows=write_table(reasons, target, format=format))


_NEXT_ONLY = ("history", "targets", "rolling")
_NEXT_TAKES = (
    *_NEXT_ONLY,
    "top_k",
    "table",
    "task",
    "model",
    "device",
    "output",
    "format",
    "on_error",
)


def _predict_next(options: dict[str, Any]) -> pl.DataFrame:
    """Ranked places of next records, by the options of ``predict``."""
    from humobctl.data.sessions import SessionOptions, read_sessions
    from humobctl.execution.run import LongRun
    from humobctl.predict.next.registry import check_name
    from humobctl.predict.next.run import NextJob, NextTally, predict_next, ranked_table

    others = {name: value for name, value in options.items() if name not in _NEXT_TAKES}
    refuse_others(predict, others, "--task next")
    model = options["model"]
    job = NextJob(
        model="markov" if model is None else str(as_path(model)),
        targets=options["targets"],
        rolling=options["rolling"],
        top_k=options["top_k"] or 20,
        device=options["device"],
    )
    check_name(job.model)
    note_settled(model=job.model)
    tally, reading = NextTally(), SessionOptions(on_error=options["on_error"])
    histories = several(options["history"])
    with paths_of(options["table"], *histories) as (path, *earlier):
        if [path, *earlier].count("-") > 1:
            raise UsageError("standard input (-) can be read only once")
        table = read_sessions(path, reading)
        frames = predict_next(table, [read_sessions(one, reading) for one in earlier], job, tally)
        target = as_path(options["output"])
        done = deliver(frames, ranked_table(table), LongRun(target), options["format"])
    report.detail(
        f"predicted {pluralize(tally.records, 'record')} of {pluralize(tally.users, 'user')} with "
        f"{job.model}"
    )
    return done


_FLOWS_TAKE = frozenset(
    (
        *("table", "task", "model", "covariates", "calendar", "full", "seed", "output", "format"),
        "on_error",
    )
)


def _predict_flows(options: dict[str, Any]) -> pl.DataFrame:
    """Hidden days of a flow series, by the options of ``predict``."""
    from humobctl.data.flow_series.write import write_flow_days
    from humobctl.predict.flow_series.registry import DEFAULT_FLOW_MODEL
    from humobctl.predict.flow_series.run import FlowJob, predict_days
    from humobctl.tables.flow_series import AreaNumbers

    others = {name: value for name, value in options.items() if name not in _FLOWS_TAKE}
    refuse_others(predict, others, "a flow series")
    if [options["table"], options["covariates"]].count("-") > 1:
        raise UsageError("standard input (-) can be read only once")
    model = options["model"]
    job = FlowJob(
        model=DEFAULT_FLOW_MODEL if model is None else str(as_path(model)),
        covariates=options["covariates"],
        calendar=read_calendar(options["calendar"]),
        full=options["full"],
        seed=options["seed"],
        on_error=options["on_error"],
    )
    note_settled(model=job.model)
    areas = AreaNumbers()
    output, format = as_path(options["output"]), options["format"]
    frame, rows = write_to_frame(
        output,
        format,
        lambda target: write_flow_days(
            predict_days(options["table"], job, areas), areas, target, format=format
        ),
    )
    return frame if output is None else summary(output, rows=rows)


def _job(
    *,
    model: ModelSource | None,
    decode: str,
    from_day: int | None,
    to_day: int | None,
    use_future: bool,
    full: bool,
    top_p: float,
    blend: float | str,
    city: str | None,
    device: str,
    precision: str,
    template: str | None,
    base: str | None,
    candidates: str,
    batch_size: int | None,
    quantization: Literal["none", "8bit", "4bit"],
    base_url: str | None,
    extra_body: str | None,
    journal: PathName | None,
    concurrency: int,
    calendar: Source,
    first_weekday: str,
    seed: int,
    output: PathName | None,
    on_error: OnError,
    top_k: int | None = None,
    probabilities: PathName | None = None,
) -> PredictJob:
    from humobctl.predict.base import PredictOptions, Prompting
    from humobctl.predict.decode_slots import parse_decode
    from humobctl.predict.registry import parse_blend
    from humobctl.predict.run import PredictJob

    if extra_body is not None and base_url is None:
        raise UsageError("--extra-body needs --base-url")
    if quantization != "none" and base_url is not None:
        raise UsageError("--quantization cannot be combined with --base-url")
    kind, weight = parse_decode(decode)
    return PredictJob(
        model="history" if model is None else str(as_path(model)),
        decode=kind,
        weight=weight,
        targets=targets_of(from_day, to_day, use_future=use_future),
        full=full,
        options=PredictOptions(
            seed=seed,
            top_p=top_p,
            device=device,
            precision=precision,
            city=city,
            blend=parse_blend(str(blend)),
            prompting=Prompting(
                template=template,
                base=base,
                candidates=candidates,
                batch=batch_size,
                quantization=quantization,
                base_url=base_url,
                extra_body=extra_body,
                journal=_journal(as_path(journal), base_url, as_path(output)),
                concurrency=concurrency,
            ),
        ),
        first_weekday=weekday_number(first_weekday),
        calendar=read_calendar(calendar),
        on_error=on_error,
        top_k=top_k,
        probabilities=probabilities is not None,
    )


def _journal(given: str | None, base_url: str | None, output: str | None) -> str | None:
    if base_url is None:
        if given is not None:
            raise UsageError("--journal needs --base-url")
        return None
    beside = None if output in (None, "-") else f"{output}.journal.jsonl"
    return given if given is not None else beside


def targets_of(from_day: int | None, to_day: int | None, *, use_future: bool = False) -> Targets:
    """The rows to predict: the masked ones, or all of some days.

    Raises:
        UsageError: a last day without a first one, or before it; a future without a last day.
    """
    from humobctl.predict.run import Targets

    if use_future and to_day is None:
        raise UsageError("--use-future needs --from-day and --to-day")
    if from_day is None:
        if to_day is not None:
            raise UsageError("--to-day needs --from-day")
        return Targets()
    last = 9999 if to_day is None else to_day
    if last < from_day:
        raise UsageError(f"--to-day: found {to_day}, expected {from_day} (--from-day) or later")
    return Targets((from_day, last), use_future)


@public()
def validate(
    submission: Source,
    challenge: Source,
    *,
    from_day: Day | None = None,
    to_day: Day | None = None,
    shift_days: int = 0,
) -> pl.DataFrame:
    """Check a HuMob submission against its challenge file, as strictly as the organisers do.

    Args:
        submission: a CSV file (.csv or .csv.gz); of daily flows a file of HuMob 2026 (.tsv).
        challenge: grid trajectory whose masked cells it fills, or flow series with hidden days.
        from_day: first day of the rows that it fills instead.
        to_day: last day of these rows.
        shift_days: number added to the days of the submission, to meet those of the challenge.

    Returns:
        One row: how many rows and users are valid.

    Raises:
        HumobError: the first fault, with its row.
        UsageError: both are standard input.

    Example:
        >>> _ = hm.predict("challenge.csv", output="predicted.csv")
        >>> hm.validate("predicted.csv", "challenge.csv")["users"].item()
        20
    """
    import polars as pl

    from humobctl.data.importers.table_kind import kind_of
    from humobctl.predict.submission import validate as checked_rows
    from humobctl.tables.schemas import FLOW_SERIES

    with paths_of(submission, challenge) as (path, wanted):
        if path == wanted == "-":
            raise UsageError("--validate: standard input can be read only once")
        if kind_of(wanted) is FLOW_SERIES:
            days = {"from_day": from_day, "to_day": to_day, "shift_days": shift_days}
            refuse_others(validate, days, "a flow series")
            return _validate_flows(path, wanted)
        checked = checked_rows(path, wanted, targets_of(from_day, to_day), shift_days)
    if shift_days:
        report.warn(
            f"{path}: checked with --shift-days {shift_days}; the organisers read days unshifted"
        )
    report.info(
        f"{path}: valid, {pluralize(checked.rows, 'row')} of {pluralize(checked.users, 'user')}"
    )
    return pl.DataFrame({"rows": [checked.rows], "users": [checked.users]})


def _validate_flows(submission: str, challenge: str) -> pl.DataFrame:
    """How many days and pairs a valid submission of daily flows holds."""
    import polars as pl

    from humobctl.predict.submission_flows import validate_flows

    checked = validate_flows(submission, challenge)
    report.info(
        f"{submission}: valid, {pluralize(checked.days, 'day')}, {pluralize(checked.pairs, 'pair')}"
    )
    return pl.DataFrame({"days": [checked.days], "pairs": [checked.pairs]})
