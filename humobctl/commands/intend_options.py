"""Options of ``humobctl intend`` for backends that ask a language model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

DeviceName = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName = Literal["auto", "f32", "bf16", "f16"]

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="openai: the model's name on the server; hf: a folder, a GGUF file or a hub name.",
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="openai: the server, up to /v1; else OPENAI_BASE_URL, else OpenAI itself.",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency", min=1, max=1024, help="openai: conversations at the same time. [8]"
    ),
]
Retries = Annotated[
    int | None,
    typer.Option("--retries", min=0, max=100, help="openai: of a call that the server failed. [5]"),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", min=0.1, max=86_400, help="openai: seconds for an answer. [120]"),
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", min=0, max=2, help="openai, hf: of sampling. [1]"),
]
AnswerTokens = Annotated[
    int | None,
    typer.Option(
        "--answer-tokens", min=64, max=1_000_000, help="openai, hf: of one answer, at most. [512]"
    ),
]
PlansPerTemplate = Annotated[
    int | None,
    typer.Option(
        "--plans-per-template",
        min=1,
        help="openai, hf: people of the same attributes and weekday who share a conversation; "
        "all but the first are jittered by up to 10 minutes. [1]",
    ),
]
PriceInput = Annotated[
    float | None,
    typer.Option("--price-input", min=0, help="openai: of a million tokens that are sent."),
]
PriceOutput = Annotated[
    float | None,
    typer.Option("--price-output", min=0, help="openai: of a million tokens that are answered."),
]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost", min=0, help="openai: stop before this run costs more."),
]
MaxTokensTotal = Annotated[
    int | None,
    typer.Option("--max-tokens-total", min=1, help="openai: stop before this run uses more."),
]
ExtraBody = Annotated[
    str | None,
    typer.Option(
        "--extra-body",
        metavar="JSON",
        help="Fields to add to each request to a server, such as "
        """'{"chat_template_kwargs": {"enable_thinking": false}}'.""",
    ),
]
JournalFile = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="openai: keep every answer here, and use those that are there. Else beside "
        "--output, as OUTPUT.journal.jsonl; for standard output, intend.journal.jsonl.",
    ),
]
Adapter = Annotated[
    str | None, typer.Option("--adapter", metavar="DIR", help="hf: a LoRA adapter (peft).")
]
Device = Annotated[DeviceName | None, typer.Option("--device", help="hf: where to compute. [auto]")]
Precision = Annotated[
    PrecisionName | None,
    typer.Option("--precision", help="hf: of the numbers. [auto: bf16 on a GPU, else f32]"),
]
Batch = Annotated[
    int | None, typer.Option("--batch", min=1, max=4096, help="hf: conversations at once. [16]")
]
Distill = Annotated[
    str | None,
    typer.Option(
        "--distill",
        metavar="FILE",
        help="Also write instruction-tuning records here: a line of JSON a decision.",
    ),
]
ShowPrompt = Annotated[
    bool,
    typer.Option(
        "--show-prompt",
        help="Print the whole conversation for the first person, with example answers, and end.",
    ),
]
