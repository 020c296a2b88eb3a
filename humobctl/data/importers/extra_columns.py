"""Tables of ours in text with any columns beside theirs: what is read is named afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from humobctl.data.importers.delimited import Batch, Delimited
from humobctl.io.read import Reader


class SeparatedReader(Reader):
    """Takes separated text as it is; ``_rename_columns`` picks and names the columns."""

    def _parse(self) -> Iterator[Batch]:
        if self.source.kind != "csv":
            yield from super()._parse()
            return
        names = list(self.table.columns) if self.header is False else None
        text = Delimited(
            self.source, self.separator, names, on_error=self.on_error, dropped=self.dropped
        )
        for frame, places in text.frames():
            yield self._cast(self._rename_columns(frame), places)
