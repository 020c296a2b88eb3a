"""What other programs need to run a fine-tuned model; nothing heavy is imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from humobctl.console import report
from humobctl.errors import HumobError, UsageError
from humobctl.io.streams import whole_file
from humobctl.predict.llama.weights import base_of
from humobctl.training.model_dir import ADAPTER_CONFIG, CONFIG, RUN, load

CONVERTER = "convert_hf_to_gguf.py"


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
    with whole_file(output) as partial:
        partial.write_text("\n".join(lines) + "\n")


def export_gguf(folder: str, output: str, converter: str | None) -> None:
    """Convert a merged model with llama.cpp's own converter.

    Args:
        folder: a merged model dir.
        output: the GGUF file to write.
        converter: path of llama.cpp's ``convert_hf_to_gguf.py``; None to look for it on the PATH.

    Raises:
        HumobError: no converter, an adapter instead of a merged model, or the converter failed.
        UsageError: an output that is not a .gguf.
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
    with whole_file(output) as partial:
        done = subprocess.run(
            [sys.executable, found, folder, "--outfile", str(partial)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not partial.stat().st_size:
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise HumobError(f"{found}: failed ({done.returncode}): {said[:200]}")
    report.detail(f"{output}: converted by {found}")
