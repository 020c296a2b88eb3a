"""``humobctl predict``: fills masked cells."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from humobctl.commands import predict_modes
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
)

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
        int | None,
        typer.Option(
            min=0, help="Last day to predict; goes with --from-day. Later days are not read."
        ),
    ] = None,
    use_future: Annotated[
        bool,
        typer.Option(
            "--use-future", help="Read days after --to-day, too, to fill a gap from both sides."
        ),
    ] = False,
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
    shift_days: Annotated[
        int,
        typer.Option(metavar="DAYS", help="Number added to the days of the submission to check."),
    ] = 0,
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
    import humobctl as hm

    if list_models:
        predict_modes.list_models()
        return
    if validate is not None:
        hm.validate(validate, input or "-", from_day=from_day, to_day=to_day, shift_days=shift_days)
        return
    options: dict[str, Any] = {
        "model": model,
        "decode": decode,
        "from_day": from_day,
        "to_day": to_day,
        "use_future": use_future,
        "top_p": top_p,
        "blend": blend,
        "city": city,
        "device": device,
        "precision": precision,
        "template": template,
        "base": base,
        "candidates": candidates,
        "batch": batch,
        "base_url": base_url,
        "journal": journal,
        "concurrency": concurrency,
        "calendar": calendar,
        "first_weekday": first_weekday,
        "seed": seed,
        "output": output or "-",
        "format": format,
        "on_error": on_error,
    }
    if explain is not None:
        predict_modes.explain(input or "-", explain, options)
        return
    hm.predict(
        input or "-",
        **options,
        full=full,
        engine=engine,
        address=address,
        workers=workers,
        resume=resume,
        overwrite=overwrite,
    )
