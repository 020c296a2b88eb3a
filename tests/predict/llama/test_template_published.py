"""The published template, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from humobctl.predict.base import UserHistory
from humobctl.predict.llama import template_published


def user_of(known: list[list[int]], wanted: list[list[int]]) -> UserHistory:
    d, t, x, y = np.array(known, np.int64).reshape(-1, 4).T
    target_d, target_t = np.array(wanted, np.int64).reshape(-1, 2).T
    return UserHistory(1, d, t, x, y, target_d, target_t)


def test_a_published_record_comes_out_byte_for_byte(shared_data: Path) -> None:
    (record,) = json.loads((shared_data / "humob/llama3-8b-mob_conversation_demo.json").read_text())
    system, question, answer = (turn["content"] for turn in record["messages"])
    rows = [list(map(int, line.split())) for line in question.split("\n")[2:]]
    known = [row for row in rows if row[2] != 999]
    user = user_of(known, [row[:2] for row in rows if row[2] == 999])
    found = template_published.messages(user)
    assert found == [
        {"role": "system", "content": system},
        {"role": "user", "content": question},
    ]
    said = json.loads(answer[7:-3])["prediction"]
    cells = np.array(said)[:, 2:].astype(np.int32)
    assert (
        template_published.answer(user.target_d.tolist(), user.target_t.tolist(), cells) == answer
    )
    # What is forced in prediction makes the same answer.
    parts = [
        template_published.row_head(d, t, first=number == 0) + template_published.row_cell(x, y)
        for number, (d, t, x, y) in enumerate(said)
    ]
    assert template_published.HEAD + "".join(parts) + template_published.TAIL == answer


def test_masked_rows_stand_between_known_ones() -> None:
    user = user_of([[0, 3, 7, 8], [2, 1, 5, 6]], [[1, 9]])
    rows = "0 3 7 8\n1 9 999 999\n2 1 5 6"
    assert template_published.question(user) == template_published.QUESTION + rows
    assert template_published.question(user, since=2) == template_published.QUESTION + rows[8:]


@pytest.mark.parametrize(("known", "days"), [([[0, 1, 1, 1], [4, 1, 1, 1]], [0, 4, 5]), ([], [1])])
def test_history_goes_day_by_day(known: list[list[int]], days: list[int]) -> None:
    assert template_published.history_days(user_of(known, [[9, 1]])) == days
