"""``humobctl finetune export``: a fine-tuned model for ollama or llama.cpp."""

from __future__ import annotations

from typing import Annotated

import typer


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="DIR", help="Adapter dir of 'finetune llama', or model dir of 'finetune merge'."
        ),
    ],
    ollama: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write an Ollama Modelfile, for 'ollama create -f FILE'."
        ),
    ] = None,
    gguf: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write a GGUF file, with llama.cpp's converter."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            "-b",
            metavar="MODEL",
            help="Base model of an adapter, by its name in Ollama; needed for an adapter.",
        ),
    ] = None,
    converter: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Path of llama.cpp's convert_hf_to_gguf.py. Default: the one on $PATH.",
        ),
    ] = None,
) -> None:
    """Export a fine-tuned model for Ollama or llama.cpp.

    Give one of --ollama and --gguf.

    Example: humobctl finetune export trained --ollama Modelfile
    """
    from humobctl.console import report
    from humobctl.errors import UsageError
    from humobctl.predict.llama.export import export_gguf, export_ollama

    if (ollama is None) == (gguf is None):
        raise UsageError("expected one of --ollama and --gguf")
    if ollama is not None:
        export_ollama(model, ollama, base)
    if gguf is not None:
        export_gguf(model, gguf, converter)
    report.info(f"{ollama or gguf}: written from {model}")
