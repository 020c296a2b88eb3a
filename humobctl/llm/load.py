"""Causal language models from a folder, a GGUF file or a hub name, with or without an adapter.

No pickle is read: weights come from safetensors or GGUF only. No code of a model's own is run, and
no user is asked whether it may be; ``model_files`` looks through a model before anything else does.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from humobctl import native
from humobctl.errors import HumobError
from humobctl.extras import install_packages
from humobctl.io.json_files import read_json
from humobctl.llm.gguf_once import read_once
from humobctl.llm.model_files import (
    TOKENIZER_CONFIG,
    ModelFiles,
    adapter_settings,
    end_tokens,
    files_of,
    own_code,
)
from humobctl.llm.sizes import check_counts, no_larger_than
from humobctl.llm.tokenizer_trial import check_tokenizer
from humobctl.training.model_dir import ADAPTER, ADAPTER_CONFIG, CONFIG, array_shapes

MOST_RANK = 4_096
"""Highest rank of an adapter that has none of peft's usual arrays to show its rank."""
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
Quantization = Literal["none", "8bit", "4bit"]


@dataclass(frozen=True)
class Loaded:
    """A model and its tokenizer.

    Attributes:
        model: a transformers causal model, or a peft model around one.
        tokenizer: its tokenizer.
        device: where the model is.
        compared: tokens of the longest text whose scores were compared with a plain pass, by what
            asked for them.
    """

    model: Any
    tokenizer: Any
    device: str
    compared: dict[str, int] = field(default_factory=dict)

    def is_new(self, what: str, tokens: int) -> bool:
        """Whether scores of so long a text are still to be compared; then they count as compared.

        Layers that do not look back over all of a text show only in long ones.
        """
        if tokens <= 2 * self.compared.get(what, 0):
            return False
        self.compared[what] = tokens
        return True

    @property
    def architecture(self) -> str:
        """The name of the model's architecture."""
        return str(self.model.config.model_type)


def load_language_model(
    model: str,
    *,
    adapter: str | None = None,
    device: str = "cpu",
    precision: str = "fp32",
    quantization: Quantization = "none",
) -> Loaded:
    """A causal model, ready to answer.

    Args:
        model: a folder, a GGUF file, or a name on the hub.
        adapter: folder of a LoRA adapter; its tokenizer is taken where it has one.
        device: cpu, cuda or mps.
        precision: of the weights: fp32, bf16 or fp16.
        quantization: of the weights, by bitsandbytes on CUDA.

    Raises:
        HumobError: it cannot be loaded, or the adapter does not fit it.
    """
    _silence()
    name = model if adapter is None else f"{model}, {adapter}"
    with readable(name), read_once(model):
        files = files_of(model)
        tokenizer = load_tokenizer(files)
        network = load_causal(files, precision, device, quantization)
        check_vocabulary(network, tokenizer, model)
        if adapter is not None:
            network = attach_adapter(network, adapter)
        if quantization == "none":
            network = network.to(device)
    return Loaded(network.eval(), tokenizer, device)


def load_causal(files: ModelFiles, precision: str, device: str, quantization: Quantization) -> Any:
    """The network alone, on the CPU unless it is quantized."""
    _silence()
    check_counts(files)
    from_gguf = files.gguf is not None
    extra: dict[str, Any] = {} if from_gguf else {"use_safetensors": True}
    if quantization != "none":
        extra |= {
            "quantization_config": _quantization_config(quantization, device),
            "device_map": device,
        }
    elif from_gguf and hasattr(transformers, "GgufConfig"):
        # Packed weights can be neither trained nor merged into.
        extra["quantization_config"] = transformers.GgufConfig(dequantize=True)
    _check_architecture(files)
    with no_larger_than(files), read_once(files.name):
        network, told = transformers.AutoModelForCausalLM.from_pretrained(
            str(files.folder),
            dtype=TYPES[precision],
            output_loading_info=True,
            **extra,
            **files.where,
        )
    if missing := sorted(told["missing_keys"]):
        raise HumobError(
            f"{files.name}: found no array {missing[0]} (of {len(missing)} that its config asks "
            "for), expected weights that are whole"
        )
    if from_gguf and quantization == "none":
        _forget_quantization(network)
    if not from_gguf:
        network.name_or_path = network.config.name_or_path = files.name
    network.config.return_dict, network.config.output_hidden_states = True, False
    network.config.output_attentions = False
    _check_causal(network, files.name)
    # What its makers set for sampling, or for other ways to generate, is not asked for here.
    network.generation_config = transformers.GenerationConfig(
        eos_token_id=network.generation_config.eos_token_id
    )
    return network


def _check_architecture(files: ModelFiles) -> None:
    """Refuse an architecture that does not continue a text, such as an encoder and a decoder.

    Raises:
        HumobError: it is one.
    """
    if files.gguf is not None:
        return
    kind = read_json(files.folder / CONFIG).get("model_type")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise HumobError(
            f"{files.name}: found the architecture {kind}, expected one that continues a text (a "
            "causal language model)"
        )


def _check_causal(network: Any, name: str) -> None:
    """Refuse a network in which tokens see those after them, such as BERT's.

    Raises:
        HumobError: it is one.
    """
    ids = torch.tensor([[0, 0], [0, 1]], device=network.device)
    with torch.inference_mode():
        first = network.eval()(input_ids=ids).logits[:, 0].float()
    most = 1e-3 if network.dtype == torch.float32 else 0.1  # of what scores differ among tokens
    if (first[0] - first[1]).abs().max() > most * first.std():
        raise HumobError(
            f"{name}: found a network ({network.config.model_type}) whose tokens see those after "
            "them, expected a causal language model"
        )


def _forget_quantization(network: Any) -> None:
    """Let weights that came from a GGUF file be trained and saved as the numbers they now are."""
    network.hf_quantizer = None
    if hasattr(network.config, "quantization_config"):
        del network.config.quantization_config


def load_tokenizer(files: ModelFiles) -> Any:
    """The tokenizer of a model; where it names no end token, the model's files may."""
    check_counts(files)
    check_tokenizer(files)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(files.folder), **files.where)
    for end in end_tokens(files) if tokenizer.eos_token_id is None else ():
        if 0 <= end < len(tokenizer):
            tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
            break
    return tokenizer


def check_vocabulary(network: Any, tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer with texts that the network has no row for.

    Control tokens beyond the rows are let be: some models for several media are cut down so.

    Raises:
        HumobError: there are such texts.
    """
    rows = network.get_input_embeddings().weight.shape[0]
    control = tokenizer.added_tokens_decoder
    last = max((i for i in tokenizer.get_vocab().values() if i not in control), default=-1)
    if last >= rows:
        raise HumobError(
            f"{name}: found a tokenizer with token {last} and an embedding of {rows} rows, "
            "expected a tokenizer of this model"
        )


def _check_rank(adapter: str, record: dict[str, Any]) -> None:
    """Refuse ranks beyond those of the arrays, for which more memory may be asked than there is.

    Raises:
        HumobError: there are some, or the adapter is damaged.
    """
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


def attach_adapter(network: Any, adapter: str) -> Any:
    """A network with an adapter that was trained on it.

    Raises:
        HumobError: the adapter was trained on another model: its shapes or layers differ.
    """
    import peft  # noqa: PLC0415 - takes seconds, and only adapters need it

    settings = adapter_settings(adapter)
    _check_rank(adapter, settings)
    try:
        with _warnings_caught() as said:
            config = peft.LoraConfig(**settings)
            found = peft.PeftModel.from_pretrained(network, adapter, config=config)
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
        if "custom code" in str(exc):
            raise own_code(name, TOKENIZER_CONFIG) from exc
        raise HumobError(f"{name}: cannot be loaded: {one_line(str(exc), 200)}") from exc


@functools.cache
def past_name() -> str:
    """What transformers calls the keys and values of earlier tokens; renamed in 5.24."""
    names = inspect.signature(transformers.LlamaModel.forward).parameters
    return "cache" if "cache" in names else "past_key_values"


def ends_of(network: Any, tokenizer: Any) -> list[int]:
    """Tokens that end an answer, of those that there are."""
    configured = network.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    rows = network.get_input_embeddings().weight.shape[0]
    known = (end for end in (*ends, tokenizer.eos_token_id) if type(end) is int)
    return sorted({end for end in known if 0 <= end < rows})


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


def _quantization_config(quantization: Quantization, device: str) -> Any:
    option = f"--quantization {quantization}"
    if device != "cuda":
        raise HumobError(f"{option}: found the device {device}, expected a CUDA GPU")
    if find_spec("bitsandbytes") is None:
        command = install_packages("bitsandbytes")
        raise HumobError(f"{option} needs the package bitsandbytes; install it with: {command}")
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
    warnings.filterwarnings("ignore", category=UserWarning, module="peft")
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
    except IndexError as exc:
        if "index out of range in self" not in str(exc):
            raise
        raise HumobError(
            "--model: found a token outside its embedding; expected a tokenizer of this model"
        ) from exc
    except torch.OutOfMemoryError as exc:
        raise HumobError(f"{device}: no memory left; try a --batch-size below {batch}") from exc
