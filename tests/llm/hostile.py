"""Models that do harm: each a change to a folder that holds a good one.

``CODE`` has what might be run, ``MODELS`` what hangs, fills the memory or is damaged. A test (or a
longer attack) copies a good model, lets one of them change it, and looks what a command does.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

RAN = "RAN"
"""The file that appears in the current folder where code of a model was run."""
EVIL = f"open({RAN!r}, 'w').close()\n"
Change = Callable[[Path], None]


class Pickled:
    """Runs ``EVIL`` when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (EVIL,)


def copy_of(good: Path, folder: Path, change: Change) -> Path:
    """A copy of a good model or adapter, changed."""
    shutil.copytree(good.resolve(), folder)
    for name in ("evil.py", "modeling_evil.py"):
        (folder / name).write_text(EVIL)
    change(folder)
    return folder


def edit(folder: Path, file: str = "config.json", **changes: Any) -> None:
    """Change keys of a file of JSON; None takes one out."""
    path = folder / file
    record = {**json.loads(path.read_text()), **changes}
    kept = {key: value for key, value in record.items() if value is not None}
    path.write_text(json.dumps(kept))


def template(text: str) -> Change:
    """A chat template in place of the model's."""

    def change(folder: Path) -> None:
        (folder / "chat_template.jinja").write_text(text)

    return change


_AUTO = {"AutoConfig": "evil.EvilConfig", "AutoModelForCausalLM": "evil.Evil"}


def own_config(folder: Path) -> None:
    """A type of its own, whose code is beside it."""
    edit(folder, model_type="evil", auto_map=_AUTO)


def own_config_elsewhere(folder: Path) -> None:
    """A type of its own, whose code is in another folder of the hub."""
    edit(folder, model_type="evil", auto_map={k: f"other/repo--{v}" for k, v in _AUTO.items()})


def own_tokenizer(folder: Path) -> None:
    """A tokenizer that is a program."""
    (folder / "tokenizer.json").unlink()
    edit(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", None]})


def own_model_of_a_known_type(folder: Path) -> None:
    """Code beside a type and a tokenizer that need none."""
    edit(folder, auto_map=_AUTO)
    edit(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", "evil.Evil"]})


def own_generate(folder: Path) -> None:
    """A way to generate of its own."""
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(EVIL)
    edit(folder, "generation_config.json", custom_generate="custom_generate", num_beams=10**6)


def pickled_weights(folder: Path) -> None:
    """Weights as a pickle."""
    (folder / "model.safetensors").rename(folder / "kept")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Pickled()))


def pickled_shard(folder: Path) -> None:
    """An index of safetensors that names a pickle."""
    (folder / "model.safetensors").unlink()
    (folder / "part.bin").write_bytes(pickle.dumps(Pickled()))
    index = {"metadata": {}, "weight_map": {"lm_head.weight": "part.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def hub_kernel(folder: Path) -> None:
    """Attention by a kernel that is fetched and run."""
    edit(folder, attn_implementation="evil/kernel", _attn_implementation="evil/kernel")


def hub_quantization(folder: Path) -> None:
    """Weights that only kernels of a hub can read."""
    edit(folder, quantization_config={"quant_method": "mxfp4"})


def template_escapes(folder: Path) -> None:
    """A chat template that looks for a way out of its sandbox."""
    text = "{{ cycler.__init__.__globals__['os'].system('touch RAN') }}"
    template(text + "{{ ''.__class__.__mro__[1].__subclasses__() }}")(folder)


CODE: dict[str, Change] = {
    change.__name__: change
    for change in (
        own_config,
        own_config_elsewhere,
        own_tokenizer,
        own_model_of_a_known_type,
        own_generate,
        pickled_weights,
        pickled_shard,
        hub_kernel,
        hub_quantization,
        template_escapes,
    )
}
HARMLESS = ("own_model_of_a_known_type", "own_generate")
"""Code that nothing needs is left where it is, and the model is used."""


def imports_modules(folder: Path) -> None:
    """An adapter that names a module to import."""
    edit(folder, "adapter_config.json", megatron_config={}, megatron_core="evil")


def pickled_adapter(folder: Path) -> None:
    """An adapter as a pickle."""
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Pickled()))


def prompt_adapter(folder: Path) -> None:
    """An adapter that loads a tokenizer, and trusts it."""
    text = {"prompt_tuning_init": "TEXT", "tokenizer_kwargs": {"trust_remote_code": True}}
    edit(folder, "adapter_config.json", peft_type="PROMPT_TUNING", **text)


def copies_layers(folder: Path) -> None:
    """An adapter that wants a layer a billion times."""
    edit(folder, "adapter_config.json", layer_replication=[[0, 1]] * 1000)


ADAPTERS: dict[str, Change] = {
    change.__name__: change
    for change in (imports_modules, pickled_adapter, prompt_adapter, copies_layers)
}


# -- what hangs, fills the memory, or is damaged ---------------------------------------------------


def many_layers(folder: Path) -> None:
    """A million layers."""
    edit(folder, num_hidden_layers=1_000_000)


def some_layers(folder: Path) -> None:
    """More layers than there are arrays."""
    edit(folder, num_hidden_layers=9_000)


def one_layer_more(folder: Path) -> None:
    """A layer whose arrays are missing, and would be drawn by chance."""
    edit(folder, num_hidden_layers=3)


def wide(folder: Path) -> None:
    """Layers that need a terabyte."""
    edit(folder, hidden_size=4 << 20, intermediate_size=4 << 20)


def large_vocabulary(folder: Path) -> None:
    """A config with more tokens than the embedding has rows."""
    edit(folder, vocab_size=1000)


def more_tokens(folder: Path) -> None:
    """A tokenizer with more tokens than the embedding has rows."""
    record = json.loads((folder / "tokenizer.json").read_text())
    record["model"]["vocab"] |= {f"Person{i}": 258 + i for i in range(50)}
    (folder / "tokenizer.json").write_text(json.dumps(record))


def slow_pattern(folder: Path) -> None:
    """A tokenizer whose regular expression backtracks for ever."""
    split = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated"}
    edit(folder, "tokenizer.json", pre_tokenizer={**split, "invert": False})


def long_replacement(folder: Path) -> None:
    """A tokenizer that writes a megabyte for a letter."""
    replace = {"type": "Replace", "pattern": {"String": "e"}, "content": "b" * 1_000_000}
    edit(folder, "tokenizer.json", normalizer=replace)


def cut_weights(folder: Path) -> None:
    """Weights whose end is missing."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-500])


def strange_weights(folder: Path) -> None:
    """Weights with a header of nonsense."""
    (folder / "model.safetensors").write_bytes(b"\xff" * 4096)


def strange_types(folder: Path) -> None:
    """A config whose values are of other types."""
    edit(folder, hidden_size="wide", num_attention_heads=[4], rope_parameters="none")


def nested_config(folder: Path) -> None:
    """A config nested too deeply."""
    (folder / "config.json").write_text('{"a":' * 50_000 + "1" + "}" * 50_000)


def no_tokenizer(folder: Path) -> None:
    """No tokenizer at all."""
    (folder / "tokenizer.json").unlink()


def odd_outputs(folder: Path) -> None:
    """Settings that change what a network gives back."""
    edit(folder, return_dict=False, use_cache=False, output_attentions=True)


MODELS: dict[str, Change] = {
    change.__name__: change
    for change in (
        *(many_layers, some_layers, one_layer_more, wide, large_vocabulary, more_tokens),
        *(slow_pattern, long_replacement, cut_weights, strange_weights, strange_types),
        *(nested_config, no_tokenizer),
    )
}


def no_end(folder: Path) -> None:
    """Nothing says how an answer ends."""
    edit(folder, "tokenizer_config.json", eos_token=None)
    for file in ("config.json", "generation_config.json"):
        edit(folder, file, eos_token_id=None)


def absurd_end(folder: Path) -> None:
    """An end that is not a token."""
    no_end(folder)
    edit(folder, "generation_config.json", eos_token_id=[10**12, -5])


TEMPLATES: dict[str, Change] = {
    "raises": template("{{ raise_exception('never') }}"),
    "broken": template("{% for %}"),
    "loops": template(
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    ),
    "powers": template("{{ 10 ** (10 ** (8 + 0 * (messages | length))) }}"),
    "huge": template("{{ 'a' * 9999999999 }}"),
    "long": template("{% for i in range(9999) %}{{ 'a' * 9999 }}{% endfor %}"),
    "fills": template(
        "{% set n = namespace(t='ab') %}"
        "{% for i in range(99) %}{% set n.t = n.t ~ n.t %}{% endfor %}"
    ),
    "recurses": template("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
    "undefined": template("{{ nothing.at.all }}"),
    "no_end": no_end,
    "absurd_end": absurd_end,
}
"""What only conversations need."""
