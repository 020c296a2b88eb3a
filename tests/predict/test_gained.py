"""What a training says that it gained: scores beside baselines, with intervals, and the blend."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.predict.base import UserHistory
from humobctl.predict.blend import blend_in_words
from humobctl.predict.gained import ScoredUser, compare, tell
from tests.messages import says


def user(uid: int) -> ScoredUser:
    slots = np.arange(10)
    nothing = np.zeros(0, np.int64)
    history = UserHistory(uid, *[nothing] * 4, np.full(10, 60), slots)
    truth = np.stack([slots + 5, slots + 6], axis=1).astype(np.int32)
    return ScoredUser(city=None, user=history, truth=truth)  # type: ignore[arg-type]


def test_a_model_is_compared_with_others_on_the_same_users(capsys) -> None:
    users = [user(uid) for uid in range(6)]
    right = [one.truth for one in users]
    wrong = [one.truth + np.int32(4) for one in users]
    found = compare("mine", users, {"mine": right, "equal": right, "worse": wrong})
    assert found["mine"] == {"geobleu_humob24": pytest.approx(1), "dtw_humob24": 0}
    gained = found["worse"]["gained"]["geobleu_humob24"]
    assert 0 < gained["low"] <= gained["mean"] <= gained["high"]
    tell("mine", found, len(users))
    said = capsys.readouterr().err
    says(said, "6 users not trained on", "predict")
    says(said, "equal:", "GEO-BLEU 1.0000", "+0.0000 [+0.0000, +0.0000]")
    says(said, "warning", "not decidedly better than equal", "cost less")
    assert "equal or worse" not in said


def test_one_user_has_no_interval(capsys) -> None:
    one = user(3)
    found = compare("mine", [one], {"mine": [one.truth], "worse": [one.truth + np.int32(4)]})
    assert set(found["worse"]["gained"]["dtw_humob24"]) == {"mean"}
    tell("mine", found, 1)
    said = capsys.readouterr().err
    says(said, "no interval of one user")
    assert "not decidedly better than worse" in said
    assert "nan" not in said


@pytest.mark.parametrize(
    ("weight", "words"),
    [(0.0, "model's alone"), (0.4, "60% of the model's"), (1.0, "history baseline alone")],
)
def test_a_blend_is_said_in_words(weight: float, words: str) -> None:
    says(blend_in_words(weight), f"blend {weight:g}", words)
