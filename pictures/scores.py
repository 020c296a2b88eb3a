"""Bars of the README's scores, read from the notes."""

from __future__ import annotations

import re
from pathlib import Path

from pictures.city import ROOT
from pictures.style import BLUE, GREY, ORANGE, figure, save

COLOURS = {"humobctl, ranker": BLUE, "Llama-3-8B-Mob": ORANGE, "LP-BERT": GREY}
NUMBER = re.compile(r"[+-]?\d+\.\d+")


def table() -> list[dict[str, str]]:
    """Rows of the tables of the section Headline, by the heads of their columns."""
    notes = ROOT / "docs" / "notes" / "prediction.md"
    section = notes.read_text().partition("## Headline\n")[2]
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line[:1] == "|"]
    head, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows if row[1] in COLOURS]


def draw() -> list[Path]:
    """GEO-BLEU and DTW in both dialects, by city and model, with 95 % intervals where known."""
    rows = table()
    names = [name for name in rows[0] if name.startswith(("GEO-BLEU", "DTW"))]
    cities = list(dict.fromkeys(row["city"] for row in rows))
    picture, axes = figure(5.2, 2, 2)
    for panel, name in zip(axes.flat, names, strict=True):
        for row in rows:
            mean, *ends = map(float, NUMBER.findall(row[name]))
            place = list(COLOURS).index(row["model"])
            x = cities.index(row["city"]) + 0.27 * (place - 1)
            errors = [[mean - ends[0]], [ends[1] - mean]] if ends else None
            colour = COLOURS[row["model"]]
            panel.bar(x, mean, 0.25, color=colour, yerr=errors, capsize=2.5, ecolor="#333333")
            digits = 1 if name.startswith("DTW") else 3
            panel.text(
                x,
                mean * 0.04,
                f"{mean:.{digits}f}",
                ha="center",
                va="bottom",
                fontsize=8,
                color="white" if colour == BLUE else "black",
                rotation=90,
            )
        better, unit = ("lower", "km") if name.startswith("DTW") else ("higher", "GEO-BLEU")
        panel.set_title(f"{name.replace(' km', '')} ({better} is better)", loc="left")
        panel.set_ylabel(unit)
        panel.set_xticks(range(len(cities)), [f"city {city}" for city in cities])
    bars = [axes[0, 0].patches[index] for index in range(3)]
    picture.legend(bars, list(COLOURS), loc="outside upper right", ncols=3)
    return save(
        picture,
        "scores",
        title="HuMob 2024, days 60-74",
        source="100 users a city, means over users; lines: 95 % bootstrap intervals over users"
        " (city D: only of differences, see docs/notes/prediction.md).\n"
        "Ranker trained on each city's days before 60; nobody developed on city D."
        " Source: python -m benchmarks headline.",
    )
