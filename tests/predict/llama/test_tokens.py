"""Rows of tokens: what sees what, what is asked, and tokenizers that cannot do it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("peft")

from humobctl.errors import HumobError
from humobctl.predict.llama import template_compact
from humobctl.predict.llama.config import PromptShape
from humobctl.predict.llama.tokens import (
    NONE,
    Compact,
    check_digits,
    conversation,
    join,
    pack,
    row_of,
)
from tests.messages import raises
from tests.predict.llama.test_template_compact import city_of, week
from tests.predict.llama.test_template_published import user_of
from tests.predict.llama.tiny import tokenizer_of

DIGITS = list("0123456789")


def test_questions_see_the_profile_and_themselves() -> None:
    row = row_of([join([7, 8], [[1], [2, 3]], [50, 60]), conversation([4], [5])])
    assert row["input_ids"].tolist() == [[7, 8, 1, 2, 3, 4, 5]]
    assert row["position_ids"].tolist() == [[0, 1, 2, 2, 3, 0, 1]]
    assert row["attention_mask"][0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 0, 1, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 1],
    ]
    assert row["logits_to_keep"].tolist() == [2, 4, 5]
    assert row["labels"].tolist() == [50, 60, 5]


def test_of_a_conversation_the_answer_alone_is_learnt() -> None:
    example = conversation([1, 2, 3], [8, 9])
    assert example.label.tolist() == [NONE, NONE, 8, 9, NONE]
    assert example.answers == 2
    assert "attention_mask" not in row_of([example])


@given(st.lists(st.integers(1, 40), max_size=60))
def test_packing_keeps_every_example_once(lengths: list[int]) -> None:
    rows = pack(lengths, 32)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[i] for i in row) <= 32 for row in rows)
    # First fit leaves no two rows that would go into one.
    light = [s for row in rows if (s := sum(lengths[i] for i in row)) <= 16]
    assert len(light) <= 1


def test_a_record_is_its_text() -> None:
    tokenizer, shape = tokenizer_of(DIGITS), PromptShape(letters=2, evidence=5, shown=2)
    tokens = Compact(tokenizer, shape, "tiny")
    prompt = template_compact.ask(user_of(week(), [[8, 20], [8, 4]]), city_of(), shape)
    example = tokens.example(prompt, [(0, 1), (1, 2)])
    # Each letter comes after a space, which the tokenizer of bytes writes by itself.
    assert tokenizer.decode(example.ids.tolist()) == (
        f"{prompt.profile}\n20 work B4 ? = \n4 work A5 = "
    )
    asked = np.flatnonzero(example.label != NONE)
    assert tokenizer.decode(example.label[asked].tolist()) == "B?"


def test_a_tokenizer_without_digits_is_refused() -> None:
    with raises(HumobError, "tiny", "tokenizer", "digits"):
        check_digits(tokenizer_of(["0", "1"]), "tiny")
    check_digits(tokenizer_of(DIGITS), "tiny")


def test_letters_must_be_tokens_of_their_own() -> None:
    class Splits:
        """Writes B as two tokens."""

        eos_token_id = None

        def __init__(self) -> None:
            self._of_bytes = tokenizer_of(DIGITS)

        def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
            return self._of_bytes(text.replace("B", "bb"), add_special_tokens=False)

        def decode(self, ids: list[int]) -> str:
            return self._of_bytes.decode(ids)

    with raises(HumobError, "odd", "' B'", "token"):
        Compact(Splits(), PromptShape(letters=3), "odd")
