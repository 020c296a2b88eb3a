"""A tiny model with random weights: ``python tiny_model.py FOLDER`` makes model and adapter.

It has said nothing sensible in its life, so that whatever is right in its answers was forced.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import peft
import tokenizers
import torch
import transformers

from humobctl.intend import prompts
from humobctl.tables.schemas import INTENTS

END = "<|im_end|>"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}"


def make(folder: Path) -> None:
    """Folders ``model``, ``adapter``, ``no-system`` and ``no-template``."""
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = transformers.LlamaForCausalLM(config)
    _brief(model, tokenizer.convert_tokens_to_ids('"'))
    for name, template in (
        ("no-system", NO_SYSTEM + TEMPLATE),
        ("no-template", None),
        ("model", TEMPLATE),
    ):
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder / name)
        model.save_pretrained(folder / name)
    lora = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # peft, of transformers
        peft.get_peft_model(model, lora).save_pretrained(folder / "adapter")


def _brief(model: transformers.LlamaForCausalLM, quote: int) -> None:
    """Let texts end after a few tokens: one number of all states speaks for a closing quote."""
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 0.05
        model.lm_head.weight[:, 0] = 0
        model.lm_head.weight[quote, 0] = 1.5


def _tokenizer() -> transformers.PreTrainedTokenizerFast:
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [prompts.text(f"{name}.md") for name in ("system", "norm", "decision")]
    bpe.train_from_iterator([*texts, *INTENTS], trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=END)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
