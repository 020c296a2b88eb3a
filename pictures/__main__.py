"""``python -m pictures [name ...]``: draw the pictures of README and docs into docs/pictures/.

All but ``generated`` are drawn from a synthetic city, which the commands make in build/pictures/.
"""

from __future__ import annotations

import sys

from pictures import days, explore, generated, pipeline, plots, scores, view
from pictures.city import DATA, WORK

PICTURES = {
    "scores": scores.draw,
    "days": days.draw,
    "generated": generated.draw,
    "pipeline": pipeline.draw,
    "explore": explore.draw,
    "view": view.draw,
    **plots.draws(),
}
NEEDS_DATA = ("generated",)


def main(names: list[str]) -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    for name in names or PICTURES:
        if name not in PICTURES:
            sys.exit(f"pictures: found {name!r}, expected one of {', '.join(PICTURES)}")
        if name in NEEDS_DATA and not DATA.is_dir():
            print(f"{name}: left as it is, it needs the research data in {DATA}", file=sys.stderr)
            continue
        for path in PICTURES[name]():
            print(path)


main(sys.argv[1:])
