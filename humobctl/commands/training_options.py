"""Options that several trainings share, so that they read the same everywhere."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def option(text: str, *names: str, low: float | None = None) -> Any:
    """An option whose default is that of the settings, which the help does not show."""
    return typer.Option(*names, help=text, min=low, show_default=False)


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
MostUsers = Annotated[
    int | None, option("Maximum number of users of each city, drawn by seed.", low=1)
]
ToDay = Annotated[int | None, option("Last day to learn from. Default: see --hold-out.", low=1)]
HoldOut = Annotated[
    int,
    typer.Option(
        min=0,
        help="Number of final days excluded from training (the test period), masked ones included.",
    ),
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Device to train on.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted training.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a model dir of that name.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be trained, and on what; train nothing.")
]
