"""Settings files of LLaMA-Factory, such as ``llama3_lora_sft.yaml``: keys mapped to ours."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.extras import require
from humobctl.io.output_lock import note_input
from humobctl.io.streams import clear_os_errors

Mapped = dict[str, Any]


@dataclass
class Factory:
    """What such a file says.

    Attributes:
        base: the model; None where the file has none.
        output: the adapter dir.
        settings: ours, by name.
    """

    base: str | None = None
    output: str | None = None
    settings: Mapped = field(default_factory=dict)


_NUMBERS: dict[str, tuple[str, Callable[[float], Any]]] = {
    "lora_rank": ("rank", int),
    "lora_alpha": ("alpha", int),
    "lora_dropout": ("dropout", float),
    "cutoff_len": ("max_length", int),
    "learning_rate": ("learning_rate", float),
    "num_train_epochs": ("epochs", int),
    "max_steps": ("max_steps", int),
    "warmup_ratio": ("warmup", float),
    "weight_decay": ("weight_decay", float),
    "val_size": ("validation_fraction", float),
    "eval_steps": ("evaluate_every", int),
    "seed": ("seed", int),
}
_FIXED: dict[str, tuple[Any, ...]] = {
    "stage": ("sft",),
    "do_train": (True,),
    "finetuning_type": ("lora",),
}
"""What must have one of these values, since nothing else is done here."""
_NOTHING_TO_DO = (
    *("dataset", "dataset_dir", "template", "overwrite_cache", "preprocessing_num_workers"),
    *("logging_steps", "save_steps", "plot_loss", "overwrite_output_dir", "ddp_timeout"),
    *("per_device_eval_batch_size", "eval_strategy", "evaluation_strategy", "report_to"),
    *("dataloader_num_workers", "save_only_model", "max_samples", "trust_remote_code"),
    *("resume_from_checkpoint", "eval_dataset", "do_eval"),
)
"""What has its own option here, or no meaning."""


def is_yaml(path: str) -> bool:
    """Whether a settings file is one of LLaMA-Factory, by its name's ending."""
    return Path(path).suffix in (".yaml", ".yml")


def read_factory(path: str) -> Factory:
    """The settings of a file; keys that are not used are reported.

    A default of the library stands where the file says nothing: rank 8, alpha twice the rank.

    Raises:
        HumobError: it is not YAML, holds a value of a wrong type, or asks for another training.
    """
    require("llm", f"{path}: YAML", ("pyyaml",))
    import yaml  # noqa: PLC0415 - only these files need it

    try:
        with clear_os_errors(path):
            note_input(path, path)
            record = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except RecursionError as exc:
        raise HumobError(f"{path}: found YAML that is nested too deeply") from exc
    except (yaml.YAMLError, ValueError) as exc:
        raise HumobError(
            f"{path}: found invalid YAML ({' '.join(str(exc).split())[:200]})"
        ) from exc
    if not isinstance(record, dict):
        raise HumobError(f"{path}: found no keys, expected those of LLaMA-Factory")
    found, unknown = Factory(), []
    for key, value in record.items():
        if not isinstance(key, str):
            raise HumobError(f"{path}: found the key {_shorten(key)}, expected a name")
        if value is not None and not _take(found, path, key, value):
            unknown.append(key)
    _finish(found, path, record)
    if unknown:
        report.warn(f"{path}: not used: {', '.join(unknown)}")
    return found


def _take(found: Factory, path: str, key: str, value: Any) -> bool:
    """Take a key over; whether it means anything here."""
    if key in _NUMBERS:
        name, kind = _NUMBERS[key]
        found.settings[name] = kind(_number(path, key, value))
    elif key in _FIXED:
        if isinstance(value, list | dict) or value not in _FIXED[key]:
            raise HumobError(
                f"{path}: key {key}: found {_shorten(value)}, expected {_FIXED[key][0]!r}; this is "
                "LoRA on records"
            )
    elif key == "model_name_or_path":
        found.base = _text(path, key, value)
    elif key == "output_dir":
        found.output = _text(path, key, value)
    elif key == "lora_target":
        found.settings["target_modules"] = _text(path, key, value)
    elif key == "lr_scheduler_type":
        found.settings["schedule"] = _text(path, key, value)
    elif key == "packing":
        found.settings["packing"] = bool(value)
    elif key == "quantization_bit":
        found.settings["quantization"] = f"{int(_number(path, key, value))}bit"
    elif key == "bf16":
        found.settings["precision"] = "bf16" if value else "fp32"
    elif key == "warmup_steps" and _number(path, key, value) < 1:
        found.settings["warmup"] = float(value)  # a share, which some files give under this name
    else:
        return key in _NOTHING_TO_DO or key.endswith("_batch_size") or key in _JOINED
    return True


_JOINED = ("gradient_accumulation_steps", "per_device_train_batch_size")


def _finish(found: Factory, path: str, record: dict[str, Any]) -> None:
    given = [key for key in _JOINED if record.get(key) is not None]
    if given:
        batch = [int(_number(path, key, record[key])) for key in given]
        found.settings["batch_size"] = math.prod(batch)
    rank = found.settings.setdefault("rank", 8)
    found.settings.setdefault("alpha", 2 * rank)
    share = found.settings.get("validation_fraction", 0.0)
    found.settings["validation_fraction"] = share if share < 1 else 0.05
    if not share:
        found.settings.pop("evaluate_every", None)


def _number(path: str, key: str, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)  # YAML 1.1 takes 1e-4 for a text
        if not math.isfinite(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as exc:
        raise HumobError(f"{path}: key {key}: found {_shorten(value)}, expected a number") from exc
    return number


def _text(path: str, key: str, value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise HumobError(f"{path}: key {key}: found {_shorten(value)}, expected a text")
    return str(value)


def _shorten(value: object) -> str:
    """A value in short: in YAML, a few lines can stand for a list of any length."""
    return reprlib.repr(value)
