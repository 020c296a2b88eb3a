"""A tiny model with random weights: ``python tiny_model.py FOLDER`` makes model and adapter.

It has said nothing sensible in its life, so that whatever is right in its answers was forced.
"""

from __future__ import annotations

import json
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


def write_gguf(folder: Path, file: Path, kind: str = "F32") -> None:
    """The model of a folder as llama.cpp would write it.

    Args:
        folder: with a Llama and a byte-level BPE.
        file: to be written.
        kind: of its matrices, as gguf names it.
    """
    import gguf

    model = transformers.LlamaForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config, bpe = model.config, json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    out = gguf.GGUFWriter(file, "llama")
    out.add_name("tiny")
    out.add_block_count(config.num_hidden_layers)
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_rope_freq_base(config.rope_parameters["rope_theta"])
    out.add_rope_dimension_count(config.head_dim)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_vocab_size(config.vocab_size)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("smollm")
    out.add_token_list(tokenizer.convert_ids_to_tokens(range(config.vocab_size)))
    control = set(tokenizer.added_tokens_decoder)
    out.add_token_types([3 if token in control else 1 for token in range(config.vocab_size)])
    out.add_token_merges([" ".join(pair) for pair in bpe["merges"]])
    out.add_eos_token_id(tokenizer.eos_token_id)
    out.add_pad_token_id(tokenizer.eos_token_id)
    out.add_bos_token_id(0)
    out.add_unk_token_id(0)
    out.add_add_bos_token(False)
    out.add_chat_template(tokenizer.chat_template)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, weight in model.state_dict().items():
        array = weight.numpy()
        for part, count in heads.items():
            if part in name:  # llama.cpp turns pairs that lie side by side
                halves = array.reshape(count, 2, -1, array.shape[1])
                array = halves.swapaxes(1, 2).reshape(array.shape)
        wanted = gguf.GGMLQuantizationType[kind if array.ndim == 2 else "F32"]
        packed = gguf.quants.quantize(array, wanted)
        out.add_tensor(names.get_name(name, (".weight",)), packed, raw_dtype=wanted)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


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
        special_tokens=["<|im_start|>", END, "<|endoftext|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [prompts.text(f"{name}.md") for name in ("system", "norm", "decision")]
    bpe.train_from_iterator([*texts, *INTENTS], trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=END)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
