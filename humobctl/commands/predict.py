"""``humobctl predict``: fills masked cells."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from humobctl.commands.options import (
    Address,
    Calendar,
    Engine,
    FirstWeekday,
    Format,
    Input,
    LongOutput,
    OnErrorOption,
    Overwrite,
    Resume,
    Seed,
    Workers,
    read_calendar,
    weekday_number,
)

if TYPE_CHECKING:
    from humobctl.predict.run import PredictJob, Targets

Precision = Literal["fp32", "bf16"]
Candidates = Literal["own", "near", "all"]


def predict(
    input: Input = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", help="Name of a model (see --list-models), or a trained model's dir."
        ),
    ] = "history",
    decode: Annotated[
        str,
        typer.Option(
            metavar="DECODER",
            help="Best whole day (day, or day:WEIGHT with WEIGHT from 0, DTW only, to 1, GEO-BLEU "
            "only), or slot by slot the cell of highest expected proximity (geobleu), lowest "
            "expected distance (dtw), highest probability (argmax), or a drawn one (sample).",
        ),
    ] = "day",
    from_day: Annotated[
        int | None,
        typer.Option(min=0, help="Predict all rows from this day on, masked or not."),
    ] = None,
    to_day: Annotated[
        int | None, typer.Option(min=0, help="Last day to predict; goes with --from-day.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Write all rows, not only the predicted ones.")
    ] = False,
    top_p: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Probability mass that --decode sample draws from."),
    ] = 0.9,
    blend: Annotated[
        str,
        typer.Option(
            metavar="auto|WEIGHT",
            help="Share of the history model that is mixed into a model: the one that a trained "
            "model has learnt, or from 0 (none) to 1.",
        ),
    ] = "auto",
    city: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="City of INPUT, for a model trained on several."),
    ] = None,
    device: Annotated[
        str,
        typer.Option(metavar="auto|cpu|cuda", help="Where models run that are built on torch."),
    ] = "auto",
    precision: Annotated[
        Precision, typer.Option(help="Of matrix products of models that are built on torch.")
    ] = "fp32",
    template: Annotated[
        str | None,
        typer.Option(
            metavar="compact|llama3-8b-mob",
            help="Prompts of a language model; else those that it was trained with.",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Model under a LoRA adapter, if not the one that it names."
        ),
    ] = None,
    candidates: Annotated[
        Candidates,
        typer.Option(
            help="Cells that a language model may answer: the user's own, those around them too, "
            "or (llama3-8b-mob) all."
        ),
    ] = "own",
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, max=4096, help="Users that a language model takes at once.", show_default=False
        ),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Ask this OpenAI-compatible server, up to /v1, for --model (vLLM, llama.cpp).",
        ),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Keep the server's answers here, and use those that are there. Else beside "
            "--output, as OUTPUT.journal.jsonl.",
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=1024, help="Questions to the server at the same time.")
    ] = 8,
    calendar: Calendar = "auto",
    first_weekday: FirstWeekday = "sunday",
    seed: Seed = 0,
    validate: Annotated[
        str | None,
        typer.Option(
            metavar="SUBMISSION",
            help="Predict nothing; check this submission against the masked rows of INPUT.",
        ),
    ] = None,
    explain: Annotated[
        int | None,
        typer.Option(
            metavar="UID",
            min=0,
            help="Predict nothing; show for this user why each cell would be chosen.",
        ),
    ] = None,
    list_models: Annotated[
        bool, typer.Option("--list-models", help="Print the models and exit.")
    ] = False,
    output: LongOutput = None,
    format: Format = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    on_error: OnErrorOption = "fail",
) -> None:
    """Predict the masked cells of trajectories.

    Reads a grid trajectory in which the cells to predict are masked (x = y = 999), or predicts all
    rows from --from-day on; a model sees the other rows only. Writes the predicted rows as
    uid,d,t,x,y, the form of a HuMob submission.

    Example: humobctl predict challenge.csv --output predicted.csv

    Example: humobctl predict challenge.csv --model slot-mode --decode argmax | head -3

    Example: humobctl predict city.csv --from-day 60 --to-day 74 --output predicted.parquet

    Example: humobctl predict challenge.csv --resume --output predicted.parquet

    Example: humobctl predict challenge.csv --validate predicted.csv

    Example: humobctl predict challenge.csv --explain 3 | head -5

    Example: humobctl predict --list-models
    """
    if list_models:
        _list_models()
        return
    targets = _targets(from_day, to_day)
    if validate is not None:
        _validate(input, validate, targets)
        return
    from humobctl.console import report
    from humobctl.errors import UsageError
    from humobctl.execution.run import LongRun
    from humobctl.predict.base import PredictOptions, Prompting
    from humobctl.predict.decode_slots import parse_decode
    from humobctl.predict.registry import parse_blend
    from humobctl.predict.run import PredictJob, PredictTally
    from humobctl.predict.run import predict as run
    from humobctl.tables.schemas import GRID

    kind, weight = parse_decode(decode)
    job = PredictJob(
        *(model, kind),
        weight=weight,
        targets=targets,
        full=full,
        options=PredictOptions(
            *(seed, top_p, device, precision, city, parse_blend(blend)),
            prompting=Prompting(
                *(template, base, candidates, batch, base_url),
                _journal(journal, base_url, output),
                concurrency,
            ),
        ),
        first_weekday=weekday_number(first_weekday),
        calendar=read_calendar(calendar),
        on_error=on_error,
    )
    if explain is not None:
        _explain(input, explain, job, output, format)
        return
    if engine == "ray" and base_url is not None:
        raise UsageError(
            "--engine ray: found --base-url, whose server does the work, expected --concurrency"
        )
    tally = PredictTally()
    with LongRun(output, engine, address, workers, resume, overwrite) as long:
        long.write(run(input, job, tally, long), GRID, format)
    report.detail(f"predicted {tally.rows} rows of {tally.users} users with {model}")


def _journal(given: str | None, base_url: str | None, output: str | None) -> str | None:
    from humobctl.errors import UsageError

    if base_url is None:
        if given is not None:
            raise UsageError("--journal goes with --base-url")
        return None
    beside = None if output in (None, "-") else f"{output}.journal.jsonl"
    return given if given is not None else beside


def _explain(
    path: str | None, uid: int, job: PredictJob, output: str | None, format: str | None
) -> None:
    from humobctl.console import report
    from humobctl.io.write import write_table
    from humobctl.predict.explain import COLUMNS, LEGEND, explain

    reasons = explain(path, uid, job)
    if output in (None, "-") and format is None and sys.stdout.isatty():
        rows = [
            ["" if v is None else f"{v:.2f}" if isinstance(v, float) else str(v) for v in row]
            for row in reasons.iter_rows()
        ]
        headings = list(COLUMNS.values())
        report.table(f"user {uid}", headings, rows, stream=sys.stdout, caption=LEGEND)
    else:
        write_table(reasons, output, format=format)


def _targets(from_day: int | None, to_day: int | None) -> Targets:
    from humobctl.errors import UsageError
    from humobctl.predict.run import Targets

    if from_day is None:
        if to_day is not None:
            raise UsageError("--to-day goes with --from-day")
        return Targets()
    last = 9999 if to_day is None else to_day
    if last < from_day:
        raise UsageError(f"--to-day: found {to_day}, expected {from_day} (--from-day) or later")
    return Targets((from_day, last))


def _list_models() -> None:
    from humobctl.console import report
    from humobctl.io.write import write_stdout_text
    from humobctl.predict.registry import MODELS

    if sys.stdout.isatty():
        rows = [(entry.name, entry.summary) for entry in MODELS.values()]
        report.table("models of predict", ("name", "what it does"), rows, stream=sys.stdout)
    else:
        lines = [f"{entry.name}\t{entry.summary}\n" for entry in MODELS.values()]
        write_stdout_text("".join(lines))


def _validate(challenge: str | None, submission: str, targets: Targets) -> None:
    from humobctl.console import report
    from humobctl.errors import UsageError
    from humobctl.predict.submission import validate

    if challenge is None and submission == "-":
        raise UsageError("--validate: standard input can be read only once")
    checked = validate(submission, challenge or "-", targets)
    report.info(f"{submission}: valid, {checked.rows} rows of {checked.users} users")
