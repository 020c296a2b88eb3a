"""One score with everything that changes its value, for metrics of whole tables."""

from __future__ import annotations

from dataclasses import dataclass

from humobctl import __version__


@dataclass(frozen=True)
class TableScore:
    """A value of a metric over two whole tables.

    Attributes:
        name: as options and JSON spell it.
        value: NaN where there is nothing to compute it from.
        unit: km, trips, share, or "" for a pure number.
        higher_is_better: which way is better; None where neither is, as for a yardstick.
        settings: every setting that changes the value.
    """

    name: str
    value: float
    unit: str
    higher_is_better: bool | None
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def signature(self) -> str:
        """The settings in one line, such as ``cpc|pairs:any|v:0.1.0``."""
        parts = [f"{key}:{text}" for key, text in self.settings]
        return "|".join([self.name, *parts, f"v:{__version__}"])
