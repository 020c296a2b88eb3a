"""Where the weights behind ``predict --model`` come from; nothing heavy is imported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from humobctl.errors import HumobError, UsageError
from humobctl.predict.llama.config import LlamaSettings, Template
from humobctl.training.model_dir import ADAPTER_CONFIG, RUN, load
from humobctl.training.settings import from_record


@dataclass(frozen=True)
class Origin:
    """Where weights come from, and how they were trained to be asked.

    Attributes:
        base: the model: a folder, a GGUF file, or a hub name.
        adapter: folder of an adapter; None for none.
        template: of its prompts.
        settings: that the prompts were made with.
    """

    base: str
    adapter: str | None
    template: Template
    settings: LlamaSettings


def origin_of(name: str, base: str | None = None, template: str | None = None) -> Origin:
    """What there is to load under a name.

    Args:
        name: as ``predict --model`` takes it.
        base: another base model than the one that an adapter names.
        template: another template than the model's own.

    Raises:
        HumobError: an adapter whose base is not there, or that was trained for another task.
        UsageError: no such template.
    """
    path = Path(name)
    config: dict[str, Any] = load(name, arrays=False).config if (path / RUN).is_file() else {}
    config = config.get("humobctl", config)
    if config.get("task", "mobility") != "mobility":
        raise HumobError(
            f"{name}: found a model of --task {config['task']}, expected one of --task mobility; "
            "`intend --backend hf --adapter` takes it"
        )
    adapter = name if (path / ADAPTER_CONFIG).is_file() else None
    settings = from_record(LlamaSettings, config.get("settings", {}))
    # The released weights of Llama-3-8B-Mob are a bare adapter.
    usual = "llama3-8b-mob" if adapter is not None and not config else "compact"
    named = template or config.get("template") or usual
    chosen = next((one for one in get_args(Template) if one == named), None)
    if chosen is None:
        raise UsageError(f"--template: found {named!r}, expected compact or llama3-8b-mob")
    return Origin(_base(name, adapter, config, base), adapter, chosen, settings)


def _base(name: str, adapter: str | None, config: dict[str, Any], given: str | None) -> str:
    if adapter is not None:
        return base_of(adapter, config, given)
    if given is not None:
        raise UsageError(f"--base needs an adapter, which {name} is not")
    return name


def base_of(adapter: str, config: dict[str, Any], given: str | None) -> str:
    """The base model of an adapter.

    Args:
        adapter: its dir.
        config: of ``config.json`` there; empty where it is not one of ours.
        given: another base model.

    Raises:
        HumobError: it is not known, or not there.
    """
    if given is not None:
        return given
    base = config.get("base")
    if base is None:
        try:
            record = json.loads((Path(adapter) / ADAPTER_CONFIG).read_text())
            base = record["base_model_name_or_path"]
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise HumobError(
                f"{adapter}/{ADAPTER_CONFIG}: found no base_model_name_or_path, expected the name "
                "of the base model; --base gives another"
            ) from exc
    if Path(str(base)).is_absolute() and not Path(str(base)).exists():
        raise HumobError(
            f"{adapter}: found no {base}, the model that it was trained on; --base says where it is"
        )
    return str(base)
