"""The texts of Llama-3-8B-Mob, byte for byte, so that its released weights can be used.

Tang et al., "Instruction-Tuning Llama-3-8B Excels in City-Scale Mobility Prediction", 2024
(arXiv 2410.23692). The system text says that slot 12 begins at 11:30 (it is 06:00) and that the
grid begins at 0 (HuMob's begins at 1): kept, since the weights were trained on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np

from humobctl.native import Int32s
from humobctl.predict.base import UserHistory
from humobctl.tables.schemas import MASKED

SYSTEM = (
    "You are a helpful assistant that predicts human mobility trajectories in a city. The target "
    "city is divided into equally sized cells, creating a 200 x 200 grid. We use coordinate "
    "<x>,<y> to indicate the location of a cell within the target area. The horizontal coordinate "
    "<x> increases from left to right, and the vertical coordinate <y> increases from top to "
    "bottom. The coordinates of the top-left corner are (0, 0), and the coordinates of the "
    "bottom-right corner are (199, 199). A trajectory is a sequence of quadruples ordered by time. "
    "Each quadruple follows the format <day_id>, <time_id>, <x>, <y>. It represents a person's "
    "location <x>, <y> at the timeslot <time_id> of day <day_id>. The <day_id> is the index of "
    "day, representing a specific day. Each day's 24 hours are discretized into 48 time slots with "
    "a time interval of 30 minutes. <time_id> is the index of the time slot, ranging from 0 to 47, "
    "representing a specific half-hour in a day. Let me give you an example of a quadruple to "
    "better illustrate what is a record in a trajectory. For instance, a sequence 1,12,124,121 "
    "indicates that an individual was located at cell 124,121 between 11:30 and 12:00 on day 1. "
    "You will receive an individual's trajectory in the target city, with some cell coordinates "
    "<x>,<y> that were missed and marked as 999, 999. Please replace all instances of 999 with "
    "your predictions and organize your answer in Json object containing following keys: "
    '-"reason": a concise explanation that supports your prediction. -"prediction" -> here should '
    "be the missing part of sequence only, without adding any extra things. Do not write any code, "
    "just inference by yourself; do not provide any other things in your response besides the Json "
    "object."
)
QUESTION = "Here is the data I wish you to predict:\nd t x y\n"
REASON = (
    "The individual's trajectory shows a consistent pattern, likely to follow the established "
    "pattern."
)
HEAD = f'```json\n{{\n    "reason": "{REASON}",\n    "prediction": ['
"""How every answer begins: constant, so it is never decoded."""
TAIL = "\n    ]\n}\n```"


def question(user: UserHistory, since: int = 0) -> str:
    """The person's rows in order, masked ones as 999.

    Args:
        user: what is known and what is asked.
        since: known rows of earlier days are left out.
    """
    kept = user.d >= since
    d, t = np.append(user.d[kept], user.target_d), np.append(user.t[kept], user.target_t)
    gap = np.full(len(user.target_d), MASKED)
    x, y = np.append(user.x[kept], gap), np.append(user.y[kept], gap)
    order = np.lexsort((t, d))
    rows = np.column_stack([d, t, x, y])[order].tolist()
    return QUESTION + "\n".join(" ".join(map(str, row)) for row in rows)


def answer(d: Sequence[int], t: Sequence[int], cells: Int32s) -> str:
    """The published answer: JSON in a fence, with the constant reason."""
    rows = np.column_stack([d, t, cells]).tolist()
    body = {"reason": REASON, "prediction": rows}
    return f"```json\n{json.dumps(body, indent=4)}\n```"


def row_head(d: int, t: int, *, first: bool) -> str:
    """What stands before the cell of an answer's row."""
    return f"{'' if first else ','}\n        [\n            {d},\n            {t},\n            "


def row_cell(x: int, y: int) -> str:
    """How a cell is written in an answer, with what ends the row."""
    return f"{x},\n            {y}\n        ]"


def messages(user: UserHistory, since: int = 0) -> list[dict[str, str]]:
    """System and question, as chat templates take them."""
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": question(user, since)},
    ]


def history_days(user: UserHistory) -> Iterable[int]:
    """First days from which the known rows can be kept, the earliest first."""
    return [*np.unique(user.d).tolist(), int(user.d.max(initial=0)) + 1]
