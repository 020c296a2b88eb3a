"""Prediction by language models: what the many at once get is what each alone would get."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("peft")

import torch

from humobctl.errors import HumobError
from humobctl.llm.load import Loaded, load_language_model
from humobctl.predict.base import UserHistory
from humobctl.predict.llama import predict_published, template_published
from humobctl.predict.llama.config import PromptShape
from humobctl.predict.llama.data import fit_history, plain
from humobctl.predict.llama.predict_compact import CHUNK, CompactPredictor
from humobctl.predict.llama.predict_published import PublishedPredictor, trie
from humobctl.predict.llama.template_compact import ask
from tests.messages import raises, says
from tests.predict.llama.test_template_compact import city_of, week
from tests.predict.llama.test_template_published import user_of

SHAPE = PromptShape(letters=3, evidence=4, shown=2)


@pytest.fixture(scope="module")
def tiny(tiny_llama: Path) -> Loaded:
    return load_language_model(str(tiny_llama / "tinyllama"))


def people() -> list[UserHistory]:
    """Three people with histories and questions of unequal lengths, and one without a past."""
    busy = [[d, t, 5 + (d * t) % 7, 9] for d in range(6) for t in range(d % 3, 48, 5)]
    far = [[d, t, 100 + d, 120] for d in range(1, 5) for t in (8, 30)]
    return [
        user_of(week(), [[8, 20], [9, 20], [8, 4]]),
        user_of(busy, [[8, t] for t in range(48)]),
        user_of([], [[8, 20]]),
        user_of(far, [[9, 31]]),
    ]


def alone(tiny: Loaded, text: str) -> torch.Tensor:
    ids = torch.tensor([plain(tiny.tokenizer, text)])
    with torch.inference_mode():
        return tiny.model(ids).logits[0, -1].log_softmax(0)


def test_packed_questions_are_answered_as_if_alone(tiny: Loaded) -> None:
    model = CompactPredictor(tiny, city_of(), SHAPE, "tiny", batch=4)
    prompts = [ask(user, city_of(), SHAPE) for user in people() if len(user.d)]
    assert sum(map(len, model.tokens.questions(prompts[1]))) > CHUNK
    for prompt, scores in zip(prompts, model.letter_scores(prompts), strict=True):
        assert len(scores) == len(prompt.questions)
        for question, found in list(zip(prompt.questions, scores, strict=True))[::7]:
            wanted = alone(tiny, f"{prompt.profile}{question} ")[model.tokens.letters]
            assert found == pytest.approx(wanted.log_softmax(0).numpy(), abs=1e-4)


def test_equal_questions_are_asked_once(tiny: Loaded) -> None:
    model = CompactPredictor(tiny, city_of(), SHAPE, "tiny")
    user = people()[0]
    dist = model.distribution(user)
    prompt = ask(user, city_of(), SHAPE)
    sizes = [len(model.tokens.profile(prompt)), *map(len, model.tokens.questions(prompt))]
    assert (model.tally.prefilled, model.tally.generated) == (sum(sizes), 0)
    assert dist.p[0] == pytest.approx(dist.p[1], rel=0.1)
    assert dist.p.sum(axis=1) == pytest.approx([1, 1, 1])


def test_a_person_without_a_past_gets_what_the_city_says(tiny: Loaded) -> None:
    model = CompactPredictor(tiny, city_of(), SHAPE, "tiny")
    dists = model.distributions(people())
    assert dists[2].cells.tolist() == [[1, 1]]
    assert all(len(d.p) == len(u.target_d) for d, u in zip(dists, people(), strict=True))


def test_walking_the_trie_scores_cells_as_their_texts(tiny: Loaded) -> None:
    # Two rows: the second is conditioned on the cell that the first one was walked to.
    user = user_of([[0, 1, 5, 7], [0, 2, 5, 9], [0, 3, 12, 7]], [[1, 1], [1, 2]])
    dist = PublishedPredictor(tiny, city_of()).distribution(user)
    text = _prompt(tiny, user) + template_published.row_head(1, 1, first=True)
    shares = _shares(tiny, text, dist.cells)
    best = int(dist.p[0].argmax())
    assert dist.p[0, best] == pytest.approx(shares[best], rel=1e-3)
    # By branch: 5,* against 12,*.
    assert dist.p[0, :2].sum() == pytest.approx(shares[:2].sum(), rel=1e-3)
    x, y = dist.cells[best]
    text += template_published.row_cell(int(x), int(y)) + template_published.row_head(
        1, 2, first=False
    )
    shares = _shares(tiny, text, dist.cells)
    best = int(dist.p[1].argmax())
    assert dist.p[1, best] == pytest.approx(shares[best], rel=1e-3)


def _prompt(tiny: Loaded, user: UserHistory) -> str:
    turns = template_published.messages(user)
    text: str = tiny.tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=True
    )
    return text + template_published.HEAD


def _shares(tiny: Loaded, text: str, cells: np.ndarray) -> np.ndarray:
    """Probability of each cell's text, digits that no cell has left out at each step."""
    texts = [plain(tiny.tokenizer, template_published.row_cell(int(x), int(y))) for x, y in cells]
    found = np.zeros(len(texts))
    begin = plain(tiny.tokenizer, text)
    for number, ids in enumerate(texts):
        with torch.inference_mode():
            logits = tiny.model(torch.tensor([[*begin, *ids]])).logits[0].numpy()
        for place in range(len(ids)):
            allowed = sorted({o[place] for o in texts if o[:place] == ids[:place]})
            scores = logits[len(begin) + place - 1][allowed]
            shares = np.exp(scores - scores.max())
            found[number] += np.log(shares[allowed.index(ids[place])] / shares.sum())
    return np.exp(found)


def test_people_walk_side_by_side_as_if_alone(tiny: Loaded) -> None:
    users = [people()[0], people()[3]]
    together = PublishedPredictor(tiny, city_of(), batch=2).distributions(users)
    for user, dist in zip(users, together, strict=True):
        single = PublishedPredictor(tiny, city_of()).distribution(user)
        assert dist.p == pytest.approx(single.p, abs=1e-4)


def test_candidates_can_be_wider(tiny: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_published, "CELLS", 1000)  # of 40,000, for time
    user = user_of([[0, 1, 5, 7]], [[1, 1]])
    near = PublishedPredictor(tiny, city_of(), candidates="near").distribution(user)
    assert len(near.cells) == 9
    everywhere = PublishedPredictor(tiny, city_of(), candidates="all").distribution(user)
    assert len(everywhere.cells) == 1000
    assert everywhere.p.sum() == pytest.approx(1)


def test_older_days_are_dropped_first_and_counted(tiny: Loaded, capsys) -> None:
    user = people()[1]
    short = user_of([[d, t, 5, 9] for d in range(6) for t in (3, 9)], [[8, 4], [8, 5]])
    whole = fit_history(short, tiny.tokenizer, 10_000)
    assert whole is not None
    assert whole[2] == 0
    messages, ids, dropped = fit_history(short, tiny.tokenizer, len(whole[1]) - 1) or ([], [], 0)
    assert dropped == 1
    assert "\n1 3 5 9\n" in messages[1]["content"]
    assert "\n0 3 5 9\n" not in messages[1]["content"]
    assert len(ids) < len(whole[1])
    small = Loaded(tiny.model, tiny.tokenizer, "cpu")
    model = PublishedPredictor(small, city_of())
    model._context = len(whole[1]) + 300  # an answer of two rows takes 350
    model.distribution(short)
    assert model.tally.dropped_days > 0
    says(capsys.readouterr().err, "days of history", "dropped")
    with raises(HumobError, "48 rows", "context"):
        model.distribution(user)


def test_a_compact_prompt_longer_than_the_context_is_refused(tiny: Loaded) -> None:
    model = CompactPredictor(tiny, city_of(), SHAPE, "tiny")
    model._context = 100
    with raises(HumobError, "context of 100 tokens"):
        model.distribution(people()[0])


def test_the_trie_holds_each_cell_once(tiny: Loaded) -> None:
    cells = np.array([[5, 7], [5, 17], [15, 7]], np.int32)
    root = trie(tiny.tokenizer, cells)
    assert root.cells == [0, 1, 2]
    assert sorted(child.cells for child in root.children.values()) == [[0, 1], [2]]


def test_nothing_heavy_is_imported_to_look_where_weights_are() -> None:
    code = (
        "import sys, humobctl.predict.llama.weights, humobctl.predict.llama.export\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
