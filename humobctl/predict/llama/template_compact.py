"""The template ``compact``: a profile that all questions share, and a short question a slot.

    Person in half-hour slots 0-47 (slot s starts s/2 h after midnight), grid 200x200 of 500 m ...
    A 79,84 B 80,83 C 85,90 ...
    17 off A9 B4 C3 = A

The first lines are the profile: the grid, the slots and the person's most visited cells, named by
letters. Each further line is a question: the slot, the type of day, and the same-slot history, as
counts of the cells of the records most like the one that is asked for (``nearest``). The answer is
one letter, one token of every tokenizer in use, or ``?`` for any other cell. Questions do not see
one another, so they can be answered in any order, and equal ones once.

Only what varies is said: no reason, no day and slot in the answer, no brackets. With SmolLM2 (one
token a digit) a user of HuMob's city B takes 2,300 tokens for 15 days, against 12,400 and 3,600 of
answer in the published template.

Shapes:  n known rows, r rows asked for, k own cells, L letters, E records of evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats, Int32s, Int64s
from humobctl.predict.base import UserHistory, candidates, circular_slots, find_gaps
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.llama.config import ALPHABET, PromptShape

OTHER = "?"
INTRO = (
    "Person in half-hour slots 0-47 (slot s starts s/2 h after midnight), grid of 200x200 cells of "
    "500 m, x,y from 1 to 200. Most visited cells:"
)
RULES = (
    "\nLines: slot, off or work day, cells of the most similar past records with counts (? any "
    "other cell) = cell"
)


@dataclass(frozen=True)
class Prompt:
    """A person's prompt.

    Attributes:
        profile: the text that all questions share.
        questions: the different ones.
        number: of the question of each row, shape (r,).
        cells: the person's cells, shape (k, 2).
        letter: of each of them, 0 to L - 1, or L for any other, shape (k,).
        weight: how the cells without a letter share theirs in each row, shape (r, k).
    """

    profile: str
    questions: list[str]
    number: Int64s
    cells: Int32s
    letter: Int64s
    weight: Floats


def names(shape: PromptShape) -> list[str]:
    """The possible answers, each after a space: the letters, then ``?``."""
    return [*ALPHABET[: shape.letters], OTHER]


def ask(
    user: UserHistory, city: CityProfile, shape: PromptShape, *, days: int | None = None
) -> Prompt:
    """The prompt about all target rows of a user with a known row.

    Args:
        user: what is known and what is asked for.
        city: the calendar.
        shape: what to show.
        days: last days of the history that may be used; None for all.
    """
    if days is not None:
        user = recent(user, days)
    cells, index = candidates(user)
    visits = np.bincount(index, minlength=len(cells))
    order = np.argsort(-visits, kind="stable")
    letter = np.empty(len(cells), np.int64)
    letter[order] = np.minimum(np.arange(len(cells)), shape.letters)
    score = likeness(user, city)
    chosen = np.argsort(-score, axis=1, kind="stable")[:, : shape.evidence]
    texts = [
        _question(int(t), bool(city.off[d]), letter[index[rows]], shape)
        for t, d, rows in zip(user.target_t, user.target_d, chosen, strict=True)
    ]
    different = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    number = np.array([different[text] for text in texts], np.int64)
    weight = np.exp(score) @ np.eye(len(cells))[index]
    named = " ".join(
        f"{ALPHABET[i]} {cells[c, 0]},{cells[c, 1]}"
        for i, c in enumerate(order[: shape.letters].tolist())
    )
    return Prompt(f"{INTRO} {named}{RULES}", list(different), number, cells, letter, weight)


def likeness(user: UserHistory, city: CityProfile) -> Floats:
    """How much each known row is like each target row, higher for more, shape (r, n).

    Slots apart, another day of the week, another type of day, other gaps to the rows before and
    after (a long gap means a stay), and age count against a record. The weights were chosen on
    days 45-59 of cities B and C.
    """
    score = -circular_slots()[user.target_t][:, user.t].astype(np.float64)
    target, known = user.target_d, user.d
    score -= 0.3 * (city.weekday[target][:, None] != city.weekday[known][None, :])
    score -= 1.0 * (city.off[target][:, None] != city.off[known][None, :])
    mine, theirs = find_gaps(target, user.target_t), find_gaps(known, user.t)
    for wanted, found in zip(mine, theirs, strict=True):
        # Two rows of the same slot, as `drop`ped duplicates may leave, are a gap of 0.
        logs = [np.log(np.maximum(gap, 1)) for gap in (wanted, found)]
        score -= np.abs(logs[0][:, None] - logs[1][None, :])
    age: Floats = np.abs(target[:, None] - known[None, :]) / 300.0
    found_score: Floats = score - age
    return found_score


def recent(user: UserHistory, days: int) -> UserHistory:
    """The user with the last ``days`` days of the history only."""
    kept = user.d > user.d.max(initial=0) - days
    d, t, x, y = (column[kept] for column in (user.d, user.t, user.x, user.y))
    return UserHistory(user.uid, d, t, x, y, user.target_d, user.target_t)


def _question(slot: int, off: bool, letters: Int64s, shape: PromptShape) -> str:
    found, count = np.unique(letters, return_counts=True)
    order = np.lexsort((found, -count))[: shape.shown]
    said = " ".join(
        f"{names(shape)[found[i]]}{count[i] if count[i] > 1 else ''}" for i in order.tolist()
    )
    return f"\n{slot} {'off' if off else 'work'} {said} ="
