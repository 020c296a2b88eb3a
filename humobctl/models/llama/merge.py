"""An adapter added to its base model, and either of them for other programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from humobctl import report
from humobctl.checkpoint import (
    CONFIG,
    RUN,
    Checkpoint,
    check_target,
    load,
    read_json,
    save,
    write_json,
)
from humobctl.data.streams import clear_os_errors
from humobctl.errors import HumobError, UsageError
from humobctl.models.language import attached, load_causal, load_tokenizer, readable
from humobctl.models.llama.config import TYPE
from humobctl.models.llama.start import ADAPTER_CONFIG, base_of

CONVERTER = "convert_hf_to_gguf.py"


@dataclass(frozen=True)
class Merge:
    """What to merge.

    Attributes:
        adapter: its dir.
        output: model dir to write.
        base: another base model than the one that the adapter names.
        precision: of the weights that are written: bf16, f16 or f32.
        overwrite: replace a model dir of that name.
    """

    adapter: str
    output: str
    base: str | None = None
    precision: str = "bf16"
    overwrite: bool = False


def merge(job: Merge) -> str:
    """Write a model dir of transformers with the adapter's changes in its weights.

    Returns:
        The name of the base model.

    Raises:
        HumobError: no adapter, or one of another base model; or the output cannot be written.
    """
    check_target(job.output, overwrite=job.overwrite)
    _require_adapter(job.adapter)
    about = load(job.adapter, arrays=False) if (Path(job.adapter) / RUN).is_file() else None
    config = about.config if about is not None else {}
    base = base_of(job.adapter, config, job.base)
    with readable(f"{base}, {job.adapter}"):
        network = load_causal(base, "f32", "cpu", "none")
        tokenizer = load_tokenizer(base)
        network = attached(network, job.adapter).merge_and_unload()
    kinds = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
    network = network.to(kinds[job.precision])
    network.config.dtype = kinds[job.precision]
    forget_quantization(network)

    def write(folder: Path) -> None:
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        record = read_json(folder / CONFIG)
        kept = {name: config[name] for name in ("task", "template", "settings") if name in config}
        write_json(folder / CONFIG, {**record, "type": TYPE, "humobctl": kept})

    run = {**(about.run if about is not None else {}), "merged": job.adapter, "base": base}
    run.pop("version", None)
    save(Checkpoint(TYPE, {}, {}, run), job.output, overwrite=job.overwrite, write=write)
    return base


def forget_quantization(network: Any) -> None:
    """Let weights that came from a GGUF file be saved as the full numbers that they now are."""
    network.hf_quantizer = None
    if hasattr(network.config, "quantization_config"):
        del network.config.quantization_config


def _require_adapter(folder: str) -> None:
    if not (Path(folder) / ADAPTER_CONFIG).is_file():
        raise HumobError(f"{folder}: found no {ADAPTER_CONFIG}, expected a LoRA adapter dir")


def export_ollama(folder: str, output: str, base: str | None = None) -> None:
    """Write a Modelfile for ``ollama create``: of a merged model, or of a base with its adapter.

    Raises:
        HumobError: the folder holds neither, or the base model is on a hub, where ollama has
            other names.
    """
    path = Path(folder).resolve()
    if (path / ADAPTER_CONFIG).is_file():
        config = load(folder, arrays=False).config if (path / RUN).is_file() else {}
        source = Path(base_of(folder, config, base))
        lines = [f"FROM {source.resolve()}", f"ADAPTER {path}"]
        if not source.exists() and base is None:
            raise HumobError(
                f"{folder}: its base model {source} is a name on a hub, where ollama has others; "
                "--base gives ollama's name, or a file"
            )
        if not source.exists():
            lines[0] = f"FROM {base}"
    elif any(path.glob("*.safetensors")) and (path / CONFIG).is_file():
        lines = [f"FROM {path}"]
    else:
        raise HumobError(f"{folder}: found no adapter dir and no merged model, expected one")
    lines += ["PARAMETER temperature 0", "PARAMETER num_ctx 8192", 'TEMPLATE """{{ .Prompt }}"""']
    with clear_os_errors(output):
        partial = Path(output).with_name(f".{Path(output).name}.{os.getpid()}.part")
        try:
            partial.write_text("\n".join(lines) + "\n")
            partial.rename(output)
        finally:
            partial.unlink(missing_ok=True)


def export_gguf(folder: str, output: str, converter: str | None) -> None:
    """Convert a merged model with llama.cpp's own converter.

    Args:
        folder: a merged model dir.
        output: the GGUF file to write.
        converter: path of llama.cpp's ``convert_hf_to_gguf.py``; None to look for it on the PATH.

    Raises:
        HumobError: no converter, an adapter instead of a merged model, or the converter failed.
        UsageError: an output that is no .gguf.
    """
    if not output.endswith(".gguf"):
        raise UsageError(f"--gguf: found {output!r}, expected a name that ends in .gguf")
    if (Path(folder) / ADAPTER_CONFIG).is_file():
        raise HumobError(f"{folder}: found an adapter, expected a merged model: finetune merge")
    found = converter or shutil.which(CONVERTER)
    if found is None or not Path(found).is_file():
        raise HumobError(
            f"--gguf: found no {CONVERTER}, the converter of llama.cpp, on the PATH; --converter "
            "says where it is (github.com/ggml-org/llama.cpp)"
        )
    partial = Path(output).with_name(f".{Path(output).name}.{os.getpid()}.part")
    try:
        done = subprocess.run(
            [sys.executable, found, folder, "--outfile", str(partial)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not partial.is_file():
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise HumobError(f"{found}: failed ({done.returncode}): {said[:200]}")
        partial.rename(output)
    finally:
        partial.unlink(missing_ok=True)
    report.detail(f"{output}: converted by {found}")
