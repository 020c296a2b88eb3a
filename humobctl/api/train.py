"""Training: one function a model; each writes a model dir and gives back the ``Model``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from humobctl.api.model import Model, ModelSource, load_model
from humobctl.api.options import (
    TRAINING,
    Between,
    Count,
    Day,
    Device,
    Minutes,
    OnError,
    Seed,
    Weekday,
    read_calendar,
    weekday_number,
)
from humobctl.api.signatures import public
from humobctl.api.tables import ModelDir, PathName, Source, Sources, as_path, paths_of, several
from humobctl.console import report
from humobctl.console.words import flag
from humobctl.errors import UsageError
from humobctl.predict.next.config import NextRankerConfig
from humobctl.predict.ranker.config import RankerConfig

if TYPE_CHECKING:
    from humobctl.training.recipe import Recipe


@public(TRAINING)
def train_bert_moe(
    tables: Sources,
    output: ModelDir | None = None,
    *,
    preset: str | None = None,
    init_from: ModelSource | None = None,
    settings: PathName | None = None,
    city: Sequence[str] | None = None,
    users: Count | None = None,
    to_day: Count | None = None,
    hold_out: Day = 15,
    device: Device = "auto",
    plot: PathName | None = None,
    calendar: Source = "auto",
    first_weekday: Weekday = "sunday",
    resume: bool = False,
    checkpoint_minutes: Minutes = 5.0,
    overwrite: bool = False,
    dry_run: bool = False,
    on_error: OnError = "fail",
    **options: Any,
) -> Model:
    """Train ST-MoE-BERT: a BERT encoder with a mixture of experts (arXiv 2410.14099).

    Args:
        preset: preset of settings to start from: tiny, small or paper. Default: small, or the
            settings of ``init_from``.
        init_from: model dir of a bert-moe to fine-tune (on another city, say); weights that fit are
            kept. Default: random weights.
        **options: settings of the model and its training, such as ``hidden_size`` or ``epochs``;
            all are in the help of ``humobctl train bert-moe``.

    Returns:
        The model.

    Raises:
        HumobError: the data cannot be read or are too few, or the training fails.
        UsageError: a setting that is not known or out of range.

    Example:
        >>> settings = {"preset": "tiny", "max_steps": 2, "validation_fraction": 0}
        >>> model = hm.train_bert_moe("challenge.csv", "bert", **settings)
        >>> hm.predict("challenge.csv", model=model).height
        3870
    """
    from humobctl.extras import require
    from humobctl.predict.bert_moe.config import PRESETS, resolve, settings_of

    check_settings(options, PRESETS["small"]())
    start = as_path(init_from)
    earlier = settings_of(start) if start is not None else None
    chosen = resolve(preset, as_path(settings), options, earlier)
    require("torch", "bert-moe")
    from humobctl.predict.bert_moe.train import BertMoeRecipe

    way = RunOptions(resume, checkpoint_minutes, overwrite)
    with paths_of(*several(tables)) as paths:
        recipe = BertMoeRecipe(
            settings=chosen,
            paths=paths,
            cities=tuple(city) if city else None,
            most_users=users,
            last_day=to_day,
            hold_out=hold_out,
            init_from=start,
            calendar=read_calendar(calendar),
            first_weekday=weekday_number(first_weekday),
            on_error=on_error,
        )
        run = carry_out(recipe, output, device, plot, way, dry=dry_run)
    if run:
        scores = run["scores"]
        used = scores.get("compared", {}).get("bert-moe")
        best = f", GEO-BLEU as used {used['geobleu_humob24']:.4f}" if used else ""
        report.info(f"{as_path(output)}: bert-moe trained in {run['steps']:,} steps{best}")
    return load_result(recipe, output, run)


@public(TRAINING)
def train_diffusion(
    table: Source,
    output: ModelDir | None = None,
    *,
    preset: str | None = None,
    settings: PathName | None = None,
    name: str | None = None,
    device: Device = "auto",
    plot: PathName | None = None,
    resume: bool = False,
    checkpoint_minutes: Minutes = 5.0,
    overwrite: bool = False,
    dry_run: bool = False,
    on_error: OnError = "fail",
    **options: Any,
) -> Model:
    """Train a diffusion or flow matching model of days: 144 steps of ten minutes.

    Args:
        table: visits, stays or points.
        name: name of the experiment, for the log and the picture. Default: none.
        **options: settings of the model and its training, such as ``denoiser``, ``condition`` or
            ``steps``; all are in the help of ``humobctl train diffusion``.

    Returns:
        The model, for ``generate_diffusion``.

    Raises:
        HumobError: the data cannot be read or are too few, or the training fails.
        UsageError: a setting that is not known or out of range.

    Example:
        >>> model = hm.train_diffusion("stays.csv", "days", preset="tiny", steps=2)
        >>> model.type
        'diffusion'
    """
    from humobctl.extras import require
    from humobctl.generate.diffusion.config import PRESETS, resolve

    check_settings(options, PRESETS["small"]())
    chosen = resolve(preset, as_path(settings), options)
    require("diffusion", "train diffusion")
    from humobctl.generate.diffusion.train import DiffusionRecipe

    way = RunOptions(resume, checkpoint_minutes, overwrite)
    with paths_of(table) as (path,):
        recipe = DiffusionRecipe(settings=chosen, path=path, name=name, on_error=on_error)
        run = carry_out(recipe, output, device, plot, way, dry=dry_run)
    if run:
        jsd = run["scores"].get("jsd")
        scored = "" if jsd is None else f", mean JSD of people not trained on {jsd:.4f}"
        report.info(f"{as_path(output)}: diffusion trained in {run['steps']:,} steps{scored}")
    return load_result(recipe, output, run)


@public(TRAINING)
def train_embedder(
    tables: Sources,
    output: ModelDir | None = None,
    *,
    preset: str | None = None,
    settings: PathName | None = None,
    city: Sequence[str] | None = None,
    last_day: Day | None = None,
    first_weekday: Weekday = "sunday",
    device: Device = "auto",
    plot: PathName | None = None,
    resume: bool = False,
    checkpoint_minutes: Minutes = 5.0,
    overwrite: bool = False,
    dry_run: bool = False,
    on_error: OnError = "fail",
    **options: Any,
) -> Model:
    """Train an embedder: 512 numbers that say where and when a user is.

    Args:
        last_day: last day to train on. Default: all days.
        **options: settings of the model and its training, such as ``train_fraction`` or ``steps``;
            all are in the help of ``humobctl train embedder``.

    Returns:
        The model, for ``embed`` and ``evaluate_embedding``.

    Raises:
        HumobError: the data cannot be read or are too few, or the training fails.
        UsageError: a setting that is not known or out of range.

    Example:
        >>> model = hm.train_embedder("city.csv", "users", preset="tiny", steps=2)
        >>> hm.embed("city.csv", model=model).height
        20
    """
    from humobctl.embed.config import PRESETS, resolve
    from humobctl.extras import require

    check_settings(options, PRESETS["small"]())
    chosen = resolve(preset, as_path(settings), options)
    require("torch", "train embedder")
    from humobctl.embed.train import EmbedderRecipe

    way = RunOptions(resume, checkpoint_minutes, overwrite)
    with paths_of(*several(tables)) as paths:
        recipe = EmbedderRecipe(
            settings=chosen,
            paths=paths,
            cities=tuple(city) if city else None,
            last_day=last_day,
            first_weekday=weekday_number(first_weekday),
            on_error=on_error,
        )
        run = carry_out(recipe, output, device, plot, way, dry=dry_run)
    if run:
        found = run["scores"].get("validation_top1")
        scored = (
            ""
            if found is None
            else f"; of users not trained on, {found:.0%} of the other spans found"
        )
        report.info(
            f"{as_path(output)}: embedder trained, weights of step {run['kept_step']:,}{scored}"
        )
    return load_result(recipe, output, run)


@public(TRAINING)
def train_ranker(
    tables: Sources,
    output: ModelDir | None = None,
    *,
    users: Count = 1000,
    to_day: Count | None = None,
    hold_out: Day | None = None,
    epochs: Count = RankerConfig.epochs,
    hidden: Count = RankerConfig.hidden,
    members: Count = RankerConfig.members,
    rows: Annotated[int, Between(100)] = RankerConfig.most_rows,
    calendar: Source = "auto",
    first_weekday: Weekday = "sunday",
    seed: Seed = 0,
    plot: PathName | None = None,
    resume: bool = False,
    checkpoint_minutes: Minutes = 5.0,
    overwrite: bool = False,
    dry_run: bool = False,
    on_error: OnError = "fail",
) -> Model:
    """Train a model that ranks each person's own cells for each slot to predict.

    Args:
        users: maximum number of users per city, drawn at random.
        hold_out: number of final days excluded from training (the test period). Default: 15;
            0 if the table has masked records.
        epochs: number of epochs: passes over the training targets.
        hidden: width of the hidden layers.
        members: ensemble size.
        rows: approximate number of training targets, if there are more: whole days are drawn at
            random.

    Returns:
        The model, for ``predict``.

    Raises:
        HumobError: the data cannot be read or are too few.
        UsageError: options that do not go together.

    Example:
        >>> model = hm.train_ranker("challenge.csv", "ranker", rows=500, epochs=1, members=1)
        >>> hm.predict("challenge.csv", model=model).height
        3870
    """
    from humobctl.predict.ranker.data import RankerSource
    from humobctl.predict.ranker.train import RankerRecipe

    source = RankerSource(
        most_users=users,
        last_day=to_day,
        hold_out=hold_out,
        calendar=read_calendar(calendar),
        first_weekday=weekday_number(first_weekday),
        on_error=on_error,
    )
    chosen = RankerConfig(most_rows=rows, epochs=epochs, hidden=hidden, members=members, seed=seed)
    way = RunOptions(resume, checkpoint_minutes, overwrite)
    with paths_of(*several(tables)) as paths:
        recipe = RankerRecipe(settings=chosen, paths=paths, source=source)
        run = carry_out(recipe, output, "auto", plot, way, dry=dry_run)
    if run:
        report.info(
            f"{as_path(output)}: ranker trained on {run['rows']:,} rows, loss "
            f"{run['scores']['loss']:.3f} nats a row"
        )
    return load_result(recipe, output, run)


@public(TRAINING)
def train_next(
    tables: Sources,
    output: ModelDir | None = None,
    *,
    epochs: Count = NextRankerConfig.epochs,
    hidden: Count = NextRankerConfig.hidden,
    members: Count = NextRankerConfig.members,
    rows: Annotated[int, Between(100)] = NextRankerConfig.most_rows,
    seed: Seed = 0,
    resume: bool = False,
    checkpoint_minutes: Minutes = 5.0,
    overwrite: bool = False,
    dry_run: bool = False,
    on_error: OnError = "fail",
) -> Model:
    """Train a model that ranks places for the next record of a session.

    Args:
        tables: sessions (``split`` with ``task`` next), check-ins, visits or cells of one city.
        epochs: number of epochs: passes over the training records.
        hidden: width of the hidden layers.
        members: ensemble size.
        rows: approximate number of training records, if there are more: records are drawn at
            random.

    Returns:
        The model, for ``predict`` with ``task`` next.

    Raises:
        HumobError: the data cannot be read or are too few.

    Example:
        >>> model = hm.train_next("challenge.csv", "next", rows=300, epochs=1, members=1)
        >>> model.type
        'next-ranker'
    """
    from humobctl.data.sessions import SessionOptions, read_sessions
    from humobctl.predict.next.train import NextRankerRecipe

    chosen = NextRankerConfig(
        most_rows=rows, epochs=epochs, hidden=hidden, members=members, seed=seed
    )
    reading = SessionOptions(on_error=on_error)
    way = RunOptions(resume, checkpoint_minutes, overwrite)
    with paths_of(*several(tables)) as paths:
        recipe = NextRankerRecipe(
            settings=chosen, tables=[read_sessions(path, reading) for path in paths]
        )
        run = carry_out(recipe, output, "auto", None, way, dry=dry_run)
    if run:
        report.info(
            f"{as_path(output)}: next-ranker trained on {run['rows']:,} records, loss "
            f"{run['scores']['loss']:.3f} nats a record"
        )
    return load_result(recipe, output, run)


@public(TRAINING)
def train_next_gru(
    tables: Sources,
    output: ModelDir | None = None,
    *,
    preset: str | None = None,
    settings: PathName | None = None,
    device: Device = "auto",
    resume: bool = False,
    checkpoint_minutes: Minutes = 5.0,
    overwrite: bool = False,
    dry_run: bool = False,
    on_error: OnError = "fail",
    **options: Any,
) -> Model:
    """Train a recurrent network (GRU) that ranks places for the next record of a session.

    Args:
        tables: sessions (``split`` with ``task`` next), check-ins, visits or cells of one city.
        preset: preset of settings to start from: tiny or small. Default: small.
        **options: settings of the model and its training, such as ``hidden_size`` or ``epochs``;
            all are in the help of ``humobctl train next-gru``.

    Returns:
        The model, for ``predict`` with ``task`` next.

    Raises:
        HumobError: the data cannot be read or are too few, or the training fails.
        UsageError: a setting that is not known or out of range.

    Example:
        >>> model = hm.train_next_gru("challenge.csv", "gru", preset="tiny", max_steps=2)
        >>> model.type
        'next-gru'
    """
    from humobctl.data.sessions import SessionOptions, read_sessions
    from humobctl.extras import require
    from humobctl.predict.next_gru.config import PRESETS, resolve

    check_settings(options, PRESETS["small"]())
    chosen = resolve(preset, as_path(settings), options)
    require("torch", "train next-gru")
    from humobctl.predict.next_gru.train import NextGruRecipe

    reading = SessionOptions(on_error=on_error)
    way = RunOptions(resume, checkpoint_minutes, overwrite)
    with paths_of(*several(tables)) as paths:
        recipe = NextGruRecipe(
            settings=chosen, tables=[read_sessions(path, reading) for path in paths]
        )
        run = carry_out(recipe, output, device, None, way, dry=dry_run)
    if run:
        report.info(
            f"{as_path(output)}: next-gru trained in {run['steps']:,} steps, loss of the last "
            f"window {run['scores']['validation_loss']:.3f} nats a record"
        )
    return load_result(recipe, output, run)


def check_settings(options: dict[str, Any], settings: Any) -> None:
    """Refuse options that are not settings of the model.

    Raises:
        UsageError: there is one.
    """
    for name in options.keys() - {one.name for one in fields(settings)}:
        raise UsageError(f"{flag(name)}: expected a setting of the model")


_NOWHERE = "none"
"""Output of a dry run that was given none."""


class RunOptions(NamedTuple):
    """How a training is carried out.

    Attributes:
        resume: continue an interrupted training.
        checkpoint_minutes: between two checkpoints, at most.
        overwrite: replace a model dir.
    """

    resume: bool
    checkpoint_minutes: float
    overwrite: bool


def carry_out(
    recipe: Recipe[Any],
    output: PathName | None,
    device: str,
    plot: PathName | None,
    way: RunOptions,
    *,
    dry: bool = False,
) -> dict[str, Any]:
    """What ``run.json`` holds; nothing of a dry run, and in all processes but the main one.

    Raises:
        UsageError: it is not said where the model goes.
    """
    from humobctl.io.outputs import check_distinct
    from humobctl.io.write import write_stdout_text
    from humobctl.plots.files import check_plot
    from humobctl.ranks import is_main
    from humobctl.training.session import TrainingJob, train
    from humobctl.training.session import dry_run as describe

    if output is None and not dry:
        raise UsageError("--output: expected a name for the model dir")
    model, picture = str(as_path(output) or _NOWHERE), as_path(plot)
    if picture is not None:
        check_plot(picture)
        check_distinct({"--output": model, "--plot": picture})
    job = TrainingJob(output=model, device=device, **way._asdict())
    if dry:
        if is_main():
            report.lines(describe(recipe, job, write_stdout_text))
        return {}
    run = train(recipe, job)
    if run and picture is not None:
        from humobctl.training.plot import write_plot

        verb = "finetune" if recipe.type == "llama" else "train"
        title = getattr(recipe, "name", None)
        write_plot(model, picture, source=f"{verb} {recipe.type}", title=title)
    return run


def load_result(recipe: Recipe[Any], output: PathName | None, run: dict[str, Any]) -> Model:
    """The model that was written, or what would be."""
    if run and output is not None:
        return load_model(output)
    return Model(str(as_path(output) or _NOWHERE), recipe.type, asdict(recipe.settings), {})
