"""Architectures of all kinds: what many questions get at once is what a plain pass gives each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("peft")

import torch
import transformers

from humobctl.errors import HumobError
from humobctl.llm.load import Loaded, load_causal
from humobctl.llm.model_files import files_of
from humobctl.predict.llama.config import LlamaSettings, PromptShape
from humobctl.predict.llama.model import check_packing, mean_loss
from humobctl.predict.llama.predict_compact import CompactPredictor
from humobctl.predict.llama.predict_published import PublishedPredictor
from humobctl.predict.llama.template_compact import ask
from tests.messages import raises
from tests.predict.llama.test_predictors import people
from tests.predict.llama.test_template_compact import city_of
from tests.predict.llama.test_template_published import user_of
from tests.predict.llama.tiny import tokenizer_of

SHAPE = PromptShape(letters=3, evidence=4, shown=2)
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 8192,
    "initializer_range": 0.5,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
WINDOW = {"sliding_window": 9}
MIXED = {"num_hidden_layers": 4}
"""Where layers of another kind begin at the third or the fourth."""
KNOWN: dict[str, dict[str, Any]] = {
    "Llama": {},
    "Qwen2": {"use_sliding_window": True, "max_window_layers": 2, **WINDOW, **MIXED},
    "Qwen3": {},
    "Mistral": WINDOW,
    "Mixtral": {**EXPERTS, **WINDOW},
    "Phi3": WINDOW,
    "Gemma": {},
    "Gemma2": {"final_logit_softcapping": 2.0, "attn_logit_softcapping": 5.0, **WINDOW},
    "Gemma3Text": {"final_logit_softcapping": 2.0, **WINDOW},
    "Cohere": {"logit_scale": 0.3},
    "Cohere2": {"logit_scale": 0.3, **WINDOW, **MIXED},
    "Granite": {"logits_scaling": 7.0, "embedding_multiplier": 3.0},
    "Olmo2": {},
    "SmolLM3": MIXED,
    "Starcoder2": WINDOW,
    "GptOss": {**EXPERTS, **WINDOW},
    "GPTNeoX": {},
    "GPT2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 8192},
    "Phi": {},
}
APART = {"Mamba": {"state_size": 4}, "Bloom": {"n_layer": 2, "n_head": 4}}
"""Architectures that take no mask, as they see a text step by step, or no positions."""


def made(name: str, changes: dict[str, Any]) -> Loaded:
    """A small network of an architecture, with random weights."""
    tokenizer = tokenizer_of(list("0123456789"))
    torch.manual_seed(0)
    kind = getattr(transformers, f"{name}Config")
    config = kind(**{**SIZES, "vocab_size": len(tokenizer), **changes})
    network = transformers.AutoModelForCausalLM.from_config(config)
    for parameter in network.parameters():  # some begin at zero, which hides what they do
        torch.nn.init.normal_(parameter, std=0.3)
    return Loaded(network.eval(), tokenizer, "cpu")


def alone(loaded: Loaded, text: str, special: bool = False) -> torch.Tensor:
    ids = loaded.tokenizer(text, add_special_tokens=special)["input_ids"]
    with torch.inference_mode():
        return loaded.model(torch.tensor([ids]), use_cache=False).logits[0, -1].log_softmax(0)


@pytest.mark.parametrize("name", [*KNOWN, *APART])
def test_packed_questions_score_as_a_plain_pass(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = made(name, {**KNOWN, **APART}[name])
    model = CompactPredictor(loaded, city_of(), SHAPE, "tiny", batch=4)
    prompts = [ask(user, city_of(), SHAPE) for user in people()[::3]]
    assert len(prompts[0].profile) > 50  # beyond all windows
    for prompt, scores in zip(prompts, model.letter_scores(prompts), strict=True):
        assert len(scores) == len(prompt.questions)
        for question, found in zip(prompt.questions, scores, strict=True):
            wanted = alone(loaded, f"{prompt.profile}{question} ")[model.tokens.letters]
            assert found == pytest.approx(wanted.log_softmax(0).numpy(), abs=2e-3)
    assert ("one question" in capsys.readouterr().err) == (name in APART)


@pytest.mark.parametrize("name", [*KNOWN, *APART])
def test_walked_cells_are_scored_as_a_plain_pass_or_refused(name: str) -> None:
    loaded = made(name, {**KNOWN, **APART}[name])
    user = user_of([[0, 1, 5, 7], [0, 2, 5, 9], [0, 3, 12, 7]], [[1, 1]])
    model = PublishedPredictor(loaded, city_of())
    if name in APART:
        with raises(HumobError, "architecture", name.lower(), "--template compact"):
            model.distribution(user)
    else:
        assert model.distribution(user).p.sum() == pytest.approx(1)
        assert loaded.compared["walked"] > 250


@pytest.mark.parametrize("name", [*KNOWN, *APART])
def test_records_of_a_row_are_learnt_as_if_alone(name: str) -> None:
    loaded = made(name, {**KNOWN, **APART}[name])
    model = CompactPredictor(loaded, city_of(), SHAPE, "tiny")
    prompts = [ask(user, city_of(), SHAPE) for user in people()[::3]]
    examples = [model.tokens.example(prompt, [(0, 0), (0, 1)]) for prompt in prompts]
    if name in APART:
        with raises(HumobError, "tiny", "architecture", name.lower()):
            check_packing(loaded.model, examples, "tiny")
        return
    check_packing(loaded.model, examples, "tiny")
    wanted = []
    for prompt in prompts:
        scores = alone(loaded, f"{prompt.profile}{prompt.questions[0]} ")
        wanted += [-scores[model.tokens.letters[letter]] for letter in (0, 1)]
    found = mean_loss(loaded.model, examples, LlamaSettings(precision="fp32"))
    assert found == pytest.approx(float(np.mean(wanted)), abs=2e-3)


ENCODERS: dict[str, dict[str, Any]] = {
    "T5ForConditionalGeneration": {"d_model": 8, "d_kv": 2, "d_ff": 8, "num_heads": 2},
    "BertForMaskedLM": {**SIZES, "num_hidden_layers": 1, "initializer_range": 0.02},
}


@pytest.mark.parametrize("name", ENCODERS)
def test_networks_that_do_not_continue_a_text_are_refused(name: str, tmp_path: Path) -> None:
    kind = getattr(transformers, name)
    settings = {**ENCODERS[name], "vocab_size": 20, "num_layers": 1, "pad_token_id": 0}
    kind(kind.config_class(**settings)).save_pretrained(tmp_path / "m")
    with raises(HumobError, "/m", kind.config_class.model_type, "causal language model"):
        load_causal(files_of(str(tmp_path / "m")), "fp32", "cpu", "none")


def test_an_unknown_scale_is_found_out(capsys: pytest.CaptureFixture[str]) -> None:
    """A network that does to its scores what no config says is asked one by one, and right."""
    loaded = made("Llama", {})
    forward = loaded.model.forward

    def scaled(*args: Any, **more: Any) -> Any:
        out = forward(*args, **more)
        out.logits = out.logits * 3
        return out

    loaded.model.forward = scaled
    model = CompactPredictor(loaded, city_of(), SHAPE, "tiny")
    prompt = ask(people()[0], city_of(), SHAPE)
    (scores,) = model.letter_scores([prompt])
    wanted = alone(loaded, f"{prompt.profile}{prompt.questions[0]} ")[model.tokens.letters]
    assert scores[0] == pytest.approx(wanted.log_softmax(0).numpy(), abs=1e-4)
    assert "one question" in capsys.readouterr().err
