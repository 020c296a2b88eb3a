"""Options that several trainings share, so that they read the same everywhere."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import typer


def option(text: str, *names: str, low: float | None = None) -> Any:
    """An option whose default is that of the settings, which the help does not show."""
    return typer.Option(*names, help=text, min=low, show_default=False)


def given(ctx: typer.Context, names: Collection[str]) -> dict[str, Any]:
    """The settings of these names that the command line gives."""
    return {k: v for k, v in ctx.params.items() if k in names and v is not None}


Trajectories = Annotated[
    list[str],
    typer.Argument(metavar="INPUT...", help="Grid trajectories, one city a file."),
]
ModelDir = Annotated[str, typer.Option("--output", "-o", metavar="DIR", help="Model dir to write.")]
Preset = Annotated[
    str | None,
    typer.Option(
        metavar="tiny|small|paper", help="Settings that the options below change. [small]"
    ),
]
SettingsFile = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="TOML file of settings, named as the options below."),
]
MaxSteps = Annotated[int | None, option("Steps at most; 0 for no bound.")]
LearningRate = Annotated[float | None, option("Highest learning rate.", "--learning-rate", "--lr")]
Warmup = Annotated[float | None, option("Share of the steps in which it rises.")]
WeightDecay = Annotated[float | None, option("Of AdamW.")]
Precision = Annotated[str | None, option("fp32, or bf16.")]
EvaluateEvery = Annotated[
    int | None, option("Steps between validations and checkpoints; 0: epochs.")
]
SettingsSeed = Annotated[int | None, option("Seed of all random choices.")]
MostUsers = Annotated[int | None, option("Users of each city, at most; drawn by seed.", low=1)]
ToDay = Annotated[int | None, option("Last day to learn from; else see --hold-out.", low=1)]
HoldOut = Annotated[
    int,
    typer.Option(
        min=0, help="Last days of a file, masked ones included, that are not learnt from."
    ),
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to train.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a training that was cut short.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a model dir of that name.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would be trained, and on what.")
]
