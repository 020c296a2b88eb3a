"""Frames of places get their intents; what serves none is left out, and counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.places.mapping import Mapping
from humobctl.io.row_errors import LineNumbers

BETWEEN = "\x1f"
"""Between the categories of one place in the column ``categories``."""
_SHOWN = 4


@dataclass
class Assigned:
    """Looks up intents and keeps count.

    Attributes:
        mapping: the rows to ask.
        keep_unmapped: keep places that no row gives an intent; they then serve every intent.
        together: see ``Mapping.find``.
        unmapped: category -> places of no intent.
        left_out: other reason -> places left out for it.
    """

    mapping: Mapping
    keep_unmapped: bool = False
    together: bool = False
    unmapped: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def intents(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        """Fill in category and intent.

        Args:
            frame: a column ``categories`` (joined by ``BETWEEN``, null for none) and, where the
                file says so itself, ``category`` and ``intent``. An intent in the file stays
                where no row decides.
            places: where its rows stand.

        Returns:
            The frame without ``categories``, and only the rows that are kept.
        """
        found = self._look_up(frame["categories"])
        decided, intent = found["decided"], found["intent"]
        lost = intent.is_null()
        if "intent" in frame.columns:
            lost &= decided
            intent = found.select(
                pl.when("decided").then("intent").otherwise(frame["intent"])
            ).to_series()
        category = found["category"]
        if "category" in frame.columns:
            category = frame.select(pl.coalesce("category", category)).to_series()
        full = frame.drop("categories").with_columns(category=category, intent=intent)
        return self._drop_unmapped(full, places, lost)

    def _look_up(self, categories: pl.Series) -> pl.DataFrame:
        """For each row: category, intent, and whether a row of the mapping decided."""
        # A tag without a value is a category without a name: none.
        keys = [key for key in categories.unique().drop_nulls() if key.strip(BETWEEN)]
        answers = [
            self.mapping.find([c for c in key.split(BETWEEN) if c], together=self.together)
            for key in keys
        ]
        schema = {"categories": pl.String, "category": pl.String, "intent": pl.String}
        table = pl.DataFrame(
            [
                (key, answer.category, answer.intent, answer.decided)
                for key, answer in zip(keys, answers, strict=True)
            ],
            schema={**schema, "decided": pl.Boolean},
            orient="row",
        )
        rows = categories.alias("categories").to_frame()
        found = rows.join(table, on="categories", how="left", maintain_order="left")
        return found.with_columns(pl.col("decided").fill_null(value=False))

    def _drop_unmapped(self, frame: pl.DataFrame, places: LineNumbers, lost: pl.Series) -> Batch:
        if self.keep_unmapped or not lost.any():
            return frame, places
        names = frame.filter(lost)["category"].fill_null("without a category").value_counts()
        self.unmapped.update(dict(names.iter_rows()))
        return frame.filter(~lost), places.keep(~lost)

    def leave_out(
        self, frame: pl.DataFrame, places: LineNumbers, gone: pl.Series, why: str
    ) -> Batch:
        """Drop rows for a reason, which is counted."""
        count = int(gone.sum())
        if not count:
            return frame, places
        self.left_out[why] += count
        return frame.filter(~gone), places.keep(~gone)

    def notes(self) -> list[str]:
        """What was left out, for people."""
        said = [f"left out {n:,} {why}" for why, n in self.left_out.items() if n]
        total = self.unmapped.total()
        if total:
            most = self.unmapped.most_common(_SHOWN)
            listed = ", ".join(f"{name} {count:,}" for name, count in most)
            more = len(self.unmapped) - len(most)
            tail = f" and {more:,} more categories" if more else ""
            said.append(
                f"left out {total:,} without an intent ({listed}{tail}): --mapping assigns "
                "intents to categories, --keep-unmapped keeps all places"
            )
        return said

    def nothing(self, name: str) -> str:
        """What is said of a file of which no place is left."""
        why = "; ".join(self.notes()) or "no places at all"
        return f"{name}: found no place with an intent ({why}), expected some"
