"""``humobctl finetune export``: a fine-tuned model for ollama or llama.cpp."""

from __future__ import annotations

from typing import Annotated

import typer


def export(
    model: Annotated[str, typer.Argument(metavar="DIR", help="Adapter dir, or merged model dir.")],
    ollama: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write a Modelfile, for `ollama create -f FILE`."),
    ] = None,
    gguf: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write a GGUF file, by llama.cpp's own converter."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base", "-b", metavar="MODEL", help="Base model of an adapter, as ollama knows it."
        ),
    ] = None,
    converter: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="llama.cpp's convert_hf_to_gguf.py; else that on the PATH."
        ),
    ] = None,
) -> None:
    """Write what other programs need to run a fine-tuned model.

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
