"""Causal language models from a folder, a GGUF file or a hub name, with or without an adapter.

No pickle is read: weights come from safetensors or GGUF only.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
import transformers

from humobctl import native
from humobctl.errors import HumobError
from humobctl.io.json_files import read_json
from humobctl.llm.hub import hub_settings
from humobctl.training.model_dir import ADAPTER, ADAPTER_CONFIG, array_shapes

MOST_RANK = 4_096
"""Of an adapter that has none of peft's usual arrays to show its rank."""
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
Quantization = Literal["none", "8bit", "4bit"]


@dataclass(frozen=True)
class Loaded:
    """A model and its tokenizer.

    Attributes:
        model: a transformers causal model, or a peft model around one.
        tokenizer: its tokenizer.
        device: where the model is.
    """

    model: Any
    tokenizer: Any
    device: str


def load_language_model(
    model: str,
    *,
    adapter: str | None = None,
    device: str = "cpu",
    precision: str = "f32",
    quantization: Quantization = "none",
) -> Loaded:
    """A causal model, ready to answer.

    Args:
        model: a folder, a GGUF file, or a name on the hub.
        adapter: folder of a LoRA adapter; its tokenizer is taken where it has one.
        device: cpu, cuda or mps.
        precision: of the weights: f32, bf16 or f16.
        quantization: of the weights, by bitsandbytes on CUDA.

    Raises:
        HumobError: it cannot be loaded, or the adapter does not fit it.
    """
    _silence()
    name = model if adapter is None else f"{model}, {adapter}"
    with readable(name):
        tokenizer = load_tokenizer(model)
        network = load_causal(model, precision, device, quantization)
        if adapter is not None:
            network = attached(network, adapter)
        if quantization == "none":
            network = network.to(device)
    return Loaded(network.eval(), tokenizer, device)


def load_causal(model: str, precision: str, device: str, quantization: Quantization) -> Any:
    """The network alone, on the CPU unless it is quantized."""
    _silence()
    name, where = place_of(model)
    from_gguf = "gguf_file" in where
    extra: dict[str, Any] = {} if from_gguf else {"use_safetensors": True}
    if quantization != "none":
        extra |= {"quantization_config": _quantized(quantization, device), "device_map": device}
    elif from_gguf and hasattr(transformers, "GgufConfig"):
        # Packed weights can be neither trained nor merged into.
        extra["quantization_config"] = transformers.GgufConfig(dequantize=True)
    network = transformers.AutoModelForCausalLM.from_pretrained(
        name, dtype=TYPES[precision], trust_remote_code=False, **extra, **where
    )
    if from_gguf and quantization == "none":
        _forget_quantization(network)
    return network


def _forget_quantization(network: Any) -> None:
    """Let weights that came from a GGUF file be trained and saved as the numbers they now are."""
    network.hf_quantizer = None
    if hasattr(network.config, "quantization_config"):
        del network.config.quantization_config


def load_tokenizer(model: str) -> Any:
    """The tokenizer of a model."""
    name, where = place_of(model)
    return transformers.AutoTokenizer.from_pretrained(name, **where)


def _check_rank(adapter: str) -> None:
    """Refuse ranks beyond those of the arrays, for which more memory may be asked than there is.

    Raises:
        HumobError: there are some, or the adapter is damaged. One from a hub is not looked at.
    """
    if not (Path(adapter) / ADAPTER).is_file() or not (Path(adapter) / ADAPTER_CONFIG).is_file():
        return
    record = read_json(Path(adapter) / ADAPTER_CONFIG)
    pattern = record.get("rank_pattern")
    asked = [record.get("r"), *(pattern.values() if isinstance(pattern, dict) else ())]
    shapes = array_shapes(adapter)
    ranks = [shape[0] for name, shape in shapes.items() if "lora_A" in name] or [MOST_RANK]
    beyond = [rank for rank in asked if isinstance(rank, int | float) and rank > max(ranks)]
    if beyond:
        raise HumobError(
            f"{adapter}/{ADAPTER_CONFIG}: found rank {beyond[0]}, expected at most {max(ranks)}, "
            f"as in {ADAPTER}"
        )


def attached(network: Any, adapter: str) -> Any:
    """A network with an adapter that was trained on it.

    Raises:
        HumobError: the adapter was trained on another model: its shapes or layers differ.
    """
    import peft  # noqa: PLC0415 - takes seconds, and only adapters need it

    _check_rank(adapter)
    try:
        with _warnings_caught() as said:
            found = peft.PeftModel.from_pretrained(network, adapter)
    except RuntimeError as exc:
        if "size mismatch" not in str(exc):
            raise
        said = [str(exc)]
    else:
        if not any("missing adapter keys" in text for text in said):
            return found
    raise HumobError(
        f"{adapter}: found an adapter of another base model than {name_of(network)}, expected one "
        "whose layers and sizes are the same"
    )


def name_of(network: Any) -> str:
    """What a network says it was loaded from."""
    return str(getattr(network.config, "_name_or_path", "") or "this one")


@contextlib.contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn whatever libraries raise on a file that they cannot take into one line.

    Raises:
        HumobError: with the name and what the library said.
    """
    try:
        # All that people see comes from our own report: no bars and notes of libraries.
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    except HumobError:
        raise
    except Exception as exc:  # whatever the libraries raise
        if "couldn't connect to" in str(exc):
            raise HumobError(
                f"{name}: found no such folder, no such model in the hub's cache, and no network "
                "to fetch it"
            ) from exc
        raise HumobError(f"{name}: cannot be loaded: {one_line(str(exc), 200)}") from exc


@functools.cache
def past_name() -> str:
    """What transformers calls the keys and values of earlier tokens; renamed in 5.24."""
    names = inspect.signature(transformers.LlamaModel.forward).parameters
    return "cache" if "cache" in names else "past_key_values"


def place_of(model: str) -> tuple[str, dict[str, Any]]:
    """What to call the model, and where to look for it.

    Raises:
        HumobError: a GGUF file that is not there, or without the package that reads it.
    """
    path = Path(model)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise HumobError(f"{model}: No such file or directory")
        if find_spec("gguf") is None:
            raise HumobError(f"{model}: needs the package gguf: pip install 'humobctl[llm]'")
        return str(path.parent), {"gguf_file": path.name, "local_files_only": True}
    return model, {"local_files_only": True} if path.is_dir() else hub_settings()


def ends_of(model: Any, tokenizer: Any) -> list[int]:
    """Tokens that end an answer."""
    configured = model.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return sorted({end for end in (*ends, tokenizer.eos_token_id) if end is not None})


def special_texts(tokenizer: Any) -> list[str]:
    """Texts that the tokenizer takes for control tokens, the longest first."""
    added = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return sorted({*added, *tokenizer.all_special_tokens}, key=len, reverse=True)


def conversation_text(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str:
    """Messages in the model's chat template, up to where its answer begins.

    Texts of control tokens are taken out of the messages. A model that knows no system turn gets
    it before the first question.
    """
    special = special_texts(tokenizer)
    plain = [{**turn, "content": _without(special, turn["content"])} for turn in messages]
    try:
        return _filled(tokenizer, plain)
    except Exception:  # templates that know no system turn raise what they like
        if plain[0]["role"] != "system":
            raise
        first = f"{plain[0]['content']}\n\n{plain[1]['content']}"
        return _filled(tokenizer, [{"role": "user", "content": first}, *plain[2:]])


def require_chat_template(tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer that knows no conversations.

    Raises:
        HumobError: it has no chat template.
    """
    if not tokenizer.chat_template:
        raise HumobError(f"{name}: found no chat template, expected an instruct model")


def _filled(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return text


def _without(special: Sequence[str], text: str) -> str:
    """Text that ends no turn and begins none, whatever a profile says."""
    for token in special:
        text = text.replace(token, " ")
    return text


def device_of(asked: str) -> str:
    """The device to use; ``auto`` is the best one there is.

    Raises:
        HumobError: it is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available()}
    there["mps"] = torch.backends.mps.is_available()
    if asked == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there.get(asked):
        raise HumobError(f"--device {asked}: found no such device here")
    return asked


def precision_of(asked: str, device: str) -> str:
    """The precision to use; ``auto`` is bf16 on CUDA and f32 elsewhere."""
    if asked != "auto":
        return asked
    return "bf16" if device == "cuda" else "f32"


def _quantized(quantization: Quantization, device: str) -> Any:
    option = f"--quantization {quantization}"
    if device != "cuda":
        raise HumobError(f"{option}: found the device {device}, expected a CUDA GPU")
    if find_spec("bitsandbytes") is None:
        raise HumobError(f"{option}: needs the package bitsandbytes: pip install bitsandbytes")
    if quantization == "8bit":
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _silence() -> None:
    # What one library says of another's use of it is nothing that people can act on.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(native.threads())


@contextlib.contextmanager
def _warnings_caught() -> Iterator[list[str]]:
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
        said += [str(one.message) for one in caught]


def one_line(text: str, most: int) -> str:
    """Text as one printable line of bounded length."""
    line = " ".join(text.split())
    return "".join(c for c in line if c.isprintable())[:most]


@contextlib.contextmanager
def inference(device: str, batch: int, *, bf16: bool = False) -> Iterator[None]:
    """Within it nothing keeps gradients, and matrix products are in bf16 where that is asked for.

    Raises:
        HumobError: no memory is left on the device for a batch of this size.
    """
    try:
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=bf16):
            yield
    except torch.OutOfMemoryError as exc:
        raise HumobError(f"{device}: no memory left; try a --batch below {batch}") from exc
