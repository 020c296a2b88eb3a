"""Fine-tuning of language models; writes an adapter dir and gives back the ``Model``."""

from __future__ import annotations

from typing import Any, Literal

from humobctl.api.model import Model
from humobctl.api.options import (
    TRAINING,
    Count,
    Day,
    Device,
    Minutes,
    OnError,
    Weekday,
    read_calendar,
    weekday_number,
)
from humobctl.api.signatures import public
from humobctl.api.tables import ModelDir, PathName, Source, Sources, as_path, paths_of, several
from humobctl.api.train import RunOptions, carry_out, check_settings, load_result
from humobctl.console import report
from humobctl.errors import UsageError


@public(TRAINING)
def finetune_llama(
    tables: Sources,
    output: ModelDir | None = None,
    *,
    base: PathName | None = None,
    task: Literal["mobility", "intention"] = "mobility",
    preset: str | None = None,
    settings: PathName | None = None,
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
    """Fine-tune a Llama model by LoRA: on where people will be, or on what they plan.

    Args:
        tables: grid trajectories, one city per file; with ``task`` intention, files of records.
        output: adapter dir to write. Default: the one in a LLaMA-Factory file (``settings``);
            needed otherwise.
        base: base model: a folder, a GGUF file or a hub name. Default: the one in a LLaMA-Factory
            file (``settings``); needed otherwise.
        task: task to learn: predict cells (mobility), or plan days from records of 'intend
            --distill' (intention).
        preset: preset of settings to start from: tiny, small, llama3-8b-mob or copb. Default:
            small, or copb with ``task`` intention.
        settings: TOML file of settings, named like the options of the command, or a YAML file of
            LLaMA-Factory (.yaml, .yml). Default: the preset alone.
        dry_run: print one record, sizes, and time, memory and disk from some steps taken; write
            nothing.
        **options: settings, such as ``rank`` or ``epochs``; all are in the help of ``humobctl
            finetune llama``.

    Returns:
        The adapter, for ``predict``.

    Raises:
        HumobError: the data cannot be read or are too few, or the training fails.
        UsageError: no base, or a setting that is not known or out of range.

    Example:
        >>> adapter = hm.finetune_llama(
        ...     "challenge.csv", "adapter", base="tinyllama", preset="tiny", max_steps=1
        ... )
        >>> adapter.type
        'llama'
    """
    from humobctl.extras import require
    from humobctl.predict.llama.config import PRESETS, resolve
    from humobctl.predict.llama.llama_factory_yaml import is_yaml, read_factory

    check_settings(options, PRESETS["small"]())
    toml, target, model = as_path(settings), as_path(output), as_path(base)
    if toml is not None and is_yaml(toml):
        mapped = read_factory(toml)
        model, target = model or mapped.base, target or mapped.output
        options, toml = {**mapped.settings, **options}, None
    chosen = resolve(preset or ("copb" if task == "intention" else None), toml, options)
    if model is None:
        raise UsageError("--base: expected a model, a folder, a GGUF file or a hub name")
    if target is None and not dry_run:
        raise UsageError("--output: expected a name for the adapter dir")
    require("llm", "finetune llama")
    from humobctl.predict.llama.train import LlamaRecipe
    from humobctl.predict.llama.users import Source as UserSource

    source = UserSource(
        most_users=users,
        last_day=to_day,
        hold_out=hold_out,
        calendar=read_calendar(calendar),
        first_weekday=weekday_number(first_weekday),
        on_error=on_error,
    )
    place = target or "adapter"
    way = RunOptions(resume, checkpoint_minutes, overwrite)
    with paths_of(*several(tables)) as paths:
        recipe = LlamaRecipe(settings=chosen, paths=paths, base=model, task=task, source=source)
        run = carry_out(recipe, place, device, plot, way, dry=dry_run)
    if run:
        loss = run["scores"].get("loss")
        told = "" if loss is None else f", validation loss {loss:.3f}"
        report.info(f"{place}: adapter of {model} trained in {run['steps']:,} steps{told}")
    return load_result(recipe, place, run)
