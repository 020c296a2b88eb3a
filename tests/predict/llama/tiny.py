"""A tiny Llama with random weights: ``python -m tests.predict.llama.tiny FOLDER``.

Its tokens are bytes, so that letters and digits are what they are in real tokenizers: tokens of
their own.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tokenizers
import torch
import transformers

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make(folder: Path, *, width: int = 32, context: int = 8192) -> None:
    """Write a model and its tokenizer into a folder."""
    torch.manual_seed(0)
    tokenizer = tokenizer_of(list("0123456789"))
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.2,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def tokenizer_of(digits: list[str]) -> transformers.PreTrainedTokenizerFast:
    """A tokenizer of bytes, without the digits that are left out."""
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    kept = [c for c in alphabet if not c.isascii() or not c.isdigit() or c in digits]
    vocabulary = {c: i for i, c in enumerate([*kept, "<|im_start|>", "<|im_end|>"])}
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",  # noqa: S106
        additional_special_tokens=["<|im_start|>"],
        chat_template=TEMPLATE,
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
