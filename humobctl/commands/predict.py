"""``humobctl predict``: fills masked cells."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

import humobctl as hm
from humobctl.api.signatures import refuse_others
from humobctl.commands.options import options_from
from humobctl.commands.seeds import Seeds, for_each_seed
from humobctl.errors import UsageError


@options_from(hm.predict, before="output")
def predict(
    validate: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Check this submission against the masked rows of INPUT; predict nothing.",
        ),
    ] = None,
    shift_days: Annotated[
        int,
        typer.Option(
            metavar="N", help="Number of days to add to each day of the submission to check."
        ),
    ] = 0,
    explain: Annotated[
        int | None,
        typer.Option(
            metavar="UID",
            min=0,
            help="Show for this user why each cell would be chosen; predict nothing.",
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Draw the candidates of the first day that --explain explains, on a map and by "
            "half hour, with their probabilities: a .png, .svg or .html file (extra plot).",
        ),
    ] = None,
    list_models: Annotated[
        bool,
        typer.Option(
            "--list-models", help="List the models, what they fill, when to take which, and exit."
        ),
    ] = False,
    seeds: Seeds = None,
    **options: Any,
) -> None:
    """Predict masked cells, hidden days of flows, or next places of sessions.

    Reads a grid trajectory in which the cells to predict are masked (x = y = 999), or predicts all
    rows from --from-day on; a model sees only the other rows. Writes the predicted rows as
    uid,d,t,x,y, the format of a HuMob submission. --validate checks such a submission, 'eval'
    scores it.

    --top-k writes the most probable cells of each row with their probabilities instead,
    --probabilities writes all of them to a file of its own.

    --task next predicts the place of each next record of a session (see 'data split --task next')
    from the earlier records of the session and from --history, and writes its candidates by rank.
    Neither place nor time of the record itself are looked at.

    Of a flow series (date, origin, destination, flow) in which days are hidden, writes these days.

    Example: humobctl predict challenge.csv --output predicted.csv

    Example: humobctl predict challenge.csv --model slot-mode --decode argmax | head -3

    Example: humobctl predict city.csv --from-day 60 --to-day 74 --output predicted.parquet

    Example: humobctl predict challenge.csv --resume --output predicted.parquet

    Example: humobctl predict challenge.csv --seeds 3 --output predicted.csv

    Example: humobctl predict challenge.csv --validate predicted.csv

    Example: humobctl predict challenge.csv --explain 3 | head -5

    Example: humobctl predict challenge.csv --explain 3 --plot day.png | head -5

    Example: humobctl predict challenge.csv --top-k 10 | humobctl eval - --truth city.csv

    Example: humobctl predict challenge.csv --probabilities all.parquet --output predicted.csv

    Example: humobctl predict city.csv --task next --rolling --model markov --top-k 3 | head -4

    Example: humobctl predict noto.csv --model state-space --output predicted.csv

    Example: humobctl predict --list-models
    """
    if plot is not None and (explain is None or list_models or validate is not None):
        raise UsageError("--plot needs --explain UID")
    if seeds is not None:
        alone = {"--list-models": list_models, "--validate": validate, "--explain": explain}
        alone["--task next"] = options["task"] == "next"
        for name, given in alone.items():
            if given is not None and given is not False:  # 0 is a user
                raise UsageError(f"--seeds cannot be combined with {name}")
    if list_models:
        _list_models()
    elif validate is not None:
        days = {name: options.get(name) for name in ("from_day", "to_day")}
        hm.validate(validate, options["table"], **days, shift_days=shift_days)
    elif explain is not None:
        _explain(explain, {**options, "plot": plot})
    else:
        for_each_seed(hm.predict, options, seeds, of_files=True)


def _list_models() -> None:
    """Print the models, what they do, when to take them and what they cost."""
    from humobctl.console import report
    from humobctl.io.write import write_stdout_text
    from humobctl.predict.listing import COLUMNS, list_models

    rows = list_models()
    if sys.stdout.isatty():
        report.table("models of predict (--model)", COLUMNS, rows, stream=sys.stdout, left=5)
    else:
        write_stdout_text("".join("\t".join(row) + "\n" for row in (COLUMNS, *rows)))


def _explain(uid: int, options: dict[str, Any]) -> None:
    """Write why each cell of a user would be chosen; on a terminal, as a table for people."""
    from humobctl.console import report
    from humobctl.predict.explain import COLUMNS, LEGEND

    if options["task"] == "next":
        raise UsageError("--explain cannot be combined with --task next")
    other = ("history", "targets", "rolling", "top_k", "probabilities")
    given = {name: options.pop(name) for name in other if name in options}
    refuse_others(hm.predict, given, "--explain")
    for_all = ("task", "full", "engine", "address", "workers", "resume", "overwrite")
    asked = {name: value for name, value in options.items() if name not in for_all}
    if asked["output"] != "-" or "format" in asked or not sys.stdout.isatty():
        hm.explain(uid=uid, **asked)
        return
    reasons = hm.explain(uid=uid, **{**asked, "output": None})
    rows = [
        ["" if v is None else f"{v:.2f}" if isinstance(v, float) else str(v) for v in row]
        for row in reasons.select(list(COLUMNS)).iter_rows()
    ]
    headings = list(COLUMNS.values())
    report.table(f"user {uid}", headings, rows, stream=sys.stdout, caption=LEGEND)
