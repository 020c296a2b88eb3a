"""Files of a language model as data from others: looked through before any library reads them.

A folder, a GGUF file or a name on a hub comes to a folder here. What could run code, or load from
elsewhere, is refused by name: modules of the model's own, pickles, kernels and adapters of a hub.
Nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humobctl.errors import HumobError
from humobctl.extras import require
from humobctl.io.json_files import read_json
from humobctl.io.streams import missing_file
from humobctl.llm.hub import fetch
from humobctl.training.model_dir import ADAPTER, ADAPTER_CONFIG, ARRAYS, CONFIG

INDEX = f"{ARRAYS}.index.json"
TOKENIZER, TOKENIZER_CONFIG = "tokenizer.json", "tokenizer_config.json"
GENERATION = "generation_config.json"
MOST_JSON_BYTES = 256 << 20
"""Most bytes of a file of JSON; the largest tokenizers have 35 MB."""
_LORA_FIELDS = (
    *("r", "lora_alpha", "lora_dropout", "target_modules", "exclude_modules", "bias", "task_type"),
    *("fan_in_fan_out", "use_rslora", "use_dora", "lora_bias", "modules_to_save"),
    *("layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern"),
    *("target_parameters", "trainable_token_indices"),
)
"""Settings of an adapter that say what its arrays are; the rest is about how it was trained."""
_IMPORTS = ("megatron_config", "layer_replication", "arrow_config", "use_bdlora")
"""Settings of an adapter that import modules, load other adapters or copy layers."""


@dataclass(frozen=True)
class ModelFiles:
    """Where the files of a model are.

    Attributes:
        name: of the model, as it was given.
        folder: where its files are.
        gguf: name of the GGUF file in it; None for safetensors.
    """

    name: str
    folder: Path
    gguf: str | None = None

    @property
    def where(self) -> dict[str, Any]:
        """Arguments for ``from_pretrained``: this folder and nothing else, and no code of its."""
        found = {"local_files_only": True, "trust_remote_code": False}
        if self.gguf is None:
            return found
        # By its name alone, transformers takes weights from the current folder where it can.
        return {**found, "gguf_file": str((self.folder / self.gguf).absolute())}


def files_of(model: str) -> ModelFiles:
    """The files of a model, fetched from a hub if it is a name there.

    Args:
        model: a folder, a GGUF file, or a name on the hub.

    Raises:
        HumobError: it is not there, or its files are not those of a plain model.
    """
    path = Path(model)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise missing_file(model)
        require("llm", f"{model}: a GGUF file", ("gguf",))
        return ModelFiles(model, path.parent, path.name)
    found = ModelFiles(model, path if path.is_dir() else fetch(model))
    _check_folder(found)
    return found


def _check_folder(files: ModelFiles) -> None:
    name, folder = files.name, files.folder
    if (folder / ADAPTER_CONFIG).is_file():
        raise HumobError(
            f"{name}: found a LoRA adapter, expected the model that it was trained on (--base; "
            "intend: --model and --adapter)"
        )
    if not (folder / CONFIG).is_file():
        raise HumobError(f"{name}: found no {CONFIG}, expected a model, or the name of a GGUF file")
    _check_config(name, read_bounded(folder / CONFIG))
    weight_files(name, folder)
    for file in (TOKENIZER, TOKENIZER_CONFIG, GENERATION):
        if (folder / file).is_file():
            read_bounded(folder / file)
    _check_tokenizer(name, folder)


def _check_config(name: str, config: dict[str, Any]) -> None:
    from transformers import CONFIG_MAPPING, __version__  # noqa: PLC0415 - an optional package

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        if "auto_map" in config:
            raise own_code(name, CONFIG)
        raise HumobError(
            f"{name}: found the model type {kind!r}, expected one that transformers {__version__} "
            "knows"
        )
    refuse_outside(name, config)


def refuse_outside(name: str, config: dict[str, Any]) -> None:
    """Refuse settings of a network that would fetch or run what is not in its folder.

    Args:
        name: of the model.
        config: its ``config.json``.

    Raises:
        HumobError: there are some.
    """
    for key, value in walk_keys(config):
        if key.endswith("_implementation") and isinstance(value, str) and "/" in value:
            raise HumobError(
                f"{name}: {CONFIG}: found {key} {value!r}, a kernel from a hub, which is never run"
            )
    if config.get("transformers_weights") is not None:
        raise HumobError(f"{name}: {CONFIG}: found transformers_weights, expected {ARRAYS}")
    packed = config.get("quantization_config")
    method = packed.get("quant_method") if isinstance(packed, dict) else packed
    if method not in (None, "bitsandbytes"):
        raise HumobError(
            f"{name}: found weights quantized by {method}, which may need kernels from a hub; "
            "expected plain weights, bitsandbytes or a GGUF file"
        )


def _check_tokenizer(name: str, folder: Path) -> None:
    """Refuse a tokenizer that is a program of its own; beside its data, the program is not used."""
    if (folder / TOKENIZER).is_file() or not (folder / TOKENIZER_CONFIG).is_file():
        return
    if "auto_map" in read_json(folder / TOKENIZER_CONFIG):
        raise own_code(name, TOKENIZER_CONFIG)


def own_code(name: str, file: str) -> HumobError:
    """The refusal of a model that is code: one of its files names it in ``auto_map``."""
    return HumobError(
        f"{name}: {file}: found auto_map, code of its own, which is never run; expected a model "
        "that transformers knows by itself"
    )


def walk_keys(value: Any) -> Iterator[tuple[str, Any]]:
    """All keys of an object and of those in it, with their values."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from walk_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk_keys(inner)


def read_bounded(path: Path) -> dict[str, Any]:
    """An object from a file of JSON that is not larger than such files are.

    Raises:
        HumobError: it is larger, or no object.
    """
    size = path.stat().st_size
    if size > MOST_JSON_BYTES:
        raise HumobError(f"{path}: found {size:,} bytes, expected at most {MOST_JSON_BYTES:,}")
    return read_json(path)


def weight_files(name: str, folder: Path) -> list[Path]:
    """The safetensors files of a folder.

    Raises:
        HumobError: there are none, or its index names something else.
    """
    if (folder / ARRAYS).is_file():
        return [folder / ARRAYS]
    if not (folder / INDEX).is_file():
        raise HumobError(
            f"{name}: found no {ARRAYS}, expected weights as safetensors or GGUF; pickles are not "
            "read"
        )
    listed = read_bounded(folder / INDEX).get("weight_map")
    parts = sorted(set(map(str, listed.values()))) if isinstance(listed, dict) else []
    for part in parts or [""]:
        if not part.endswith(".safetensors") or Path(part).name != part:
            raise HumobError(f"{name}: {INDEX}: found {part!r}, expected files of safetensors")
        if not (folder / part).is_file():
            raise HumobError(f"{name}: {INDEX}: found no {part}, which it names")
    return [folder / part for part in parts]


def end_tokens(files: ModelFiles) -> list[int]:
    """Tokens that end an answer, as the settings of a model say."""
    for file in (GENERATION, CONFIG):
        if files.gguf is None and (files.folder / file).is_file():
            found = read_bounded(files.folder / file).get("eos_token_id")
            ends = found if isinstance(found, list) else [found]
            if kept := [end for end in ends if type(end) is int]:
                return kept
    return []


def adapter_settings(adapter: str) -> dict[str, Any]:
    """What of an adapter's settings is needed to put its arrays in place.

    Raises:
        HumobError: it is not a LoRA adapter in safetensors, or one that loads more than its arrays.
    """
    for file in (ADAPTER_CONFIG, ADAPTER):
        if not (Path(adapter) / file).is_file():
            raise HumobError(f"{adapter}: found no {file}, expected a LoRA adapter of peft")
    record = read_bounded(Path(adapter) / ADAPTER_CONFIG)
    kind = record.get("peft_type", "LORA")
    if kind != "LORA":
        raise HumobError(f"{adapter}: found an adapter of type {kind}, expected LORA")
    for key in _IMPORTS:
        if record.get(key) is not None:
            raise HumobError(
                f"{adapter}/{ADAPTER_CONFIG}: found {key}, expected a plain LoRA adapter"
            )
    return {key: record[key] for key in _LORA_FIELDS if record.get(key) is not None}
