"""``humobctl finetune merge``: an adapter added to its base model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

WeightType = Literal["fp32", "bf16", "fp16"]


def merge(
    adapter: Annotated[str, typer.Argument(metavar="DIR", help="Adapter dir of 'finetune llama'.")],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="Model dir to write.")
    ],
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            "-b",
            metavar="MODEL",
            help="Base model. Default: the one that the adapter names.",
        ),
    ] = None,
    precision: Annotated[
        WeightType,
        typer.Option(metavar="bf16|fp16|fp32", help="Numeric precision of the weights to write."),
    ] = "bf16",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing model dir.")
    ] = False,
) -> None:
    """Merge a LoRA adapter into its base model.

    Writes a model dir in safetensors that any program can load.

    Example: humobctl finetune merge trained --output merged
    """
    from humobctl.console import report
    from humobctl.extras import require

    require("llm", "finetune merge")
    from humobctl.predict.llama.merge import Merge
    from humobctl.predict.llama.merge import merge as run

    name = run(Merge(adapter, output, base, precision, overwrite))
    report.info(f"{output}: {name} with the adapter {adapter} in its weights")
