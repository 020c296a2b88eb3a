"""Size: 20 million rows through ``data import``, and a synthetic city of 100,000 users."""

from __future__ import annotations

import polars as pl

from benchmarks.harness import WORK, markdown, peak
from humobctl.tables.schemas import GRID

ROWS = 20_000_000
USERS = 100_000


def import_rows() -> str:
    """A CSV of 20 million rows to Parquet and back; the peak must stay under 1,500 MB."""
    plain, parquet = WORK / "rows.csv", WORK / "rows.parquet"
    if not plain.exists():
        users = ROWS // 900
        peak("data", "synth", "--users", users, "--output", WORK / "city.csv")
        pl.scan_csv(WORK / "city.csv").head(ROWS).sink_csv(plain)
        (WORK / "city.csv").unlink()
    rows = pl.scan_csv(plain).select(pl.len()).collect().item()
    lines = []
    for source, target in ((plain, parquet), (parquet, WORK / "again.csv")):
        seconds, megabytes = peak("data", "import", source, "--output", target)
        lines.append(
            [
                *(f"{source.suffix[1:]} to {target.suffix[1:]}", f"{rows:,}"),
                *(f"{source.stat().st_size / 1e6:.0f}", f"{target.stat().st_size / 1e6:.0f}"),
                *(f"{seconds:.0f}", f"{rows / seconds / 1e6:.1f}", f"{megabytes:.0f}"),
            ]
        )
    columns = ["conversion", "rows", "MB in", "MB out", "seconds", "million rows/s", "peak MB"]
    return markdown(columns, lines)


def city() -> str:
    """Rows, bytes and peak memory of a city of 100,000 users, command by command."""
    whole, masked = WORK / "city100k.parquet", WORK / "challenge100k.parquet"
    works = (
        ("data synth", ("data", "synth", "--users", USERS, "--output", whole)),
        ("data describe", ("data", "describe", whole, "--format", "json")),
        ("data mask", ("data", "mask", whole, "--from-day", 60, "--last", 3000, "-o", masked)),
        ("predict, 3,000 users masked", ("predict", masked, "-o", WORK / "p100k.parquet")),
        ("eval, days 60-74", ("eval", whole, "--truth", whole, "--days", "60-74")),
        ("train ranker", ("train", "ranker", masked, "-o", WORK / "ranker100k", "--overwrite")),
    )
    lines = []
    for name, arguments in works:
        seconds, megabytes = peak(*arguments)
        lines.append([name, f"{seconds:.0f}", f"{megabytes:.0f}"])
    rows = pl.scan_parquet(whole).select(pl.len()).collect().item()
    sample = pl.DataFrame(schema=GRID.dtypes).clear(1000)
    row = sample.estimated_size() // 1000
    head = (
        f"{rows:,} rows; {row} bytes a row in memory, so {rows * row / 1e9:.2f} GB "
        f"({', '.join(f'{c} {t}' for c, t in GRID.dtypes.items())}); "
        f"{whole.stat().st_size / 1e6:.0f} MB as Parquet\n\n"
    )
    return head + markdown(["command", "seconds", "peak MB"], lines)
