"""An adapter added to its base model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from humobctl.errors import HumobError
from humobctl.io.json_files import read_json
from humobctl.llm.load import (
    TYPES,
    attach_adapter,
    check_vocabulary,
    load_causal,
    load_tokenizer,
    readable,
)
from humobctl.llm.model_files import files_of
from humobctl.predict.llama.config import TYPE
from humobctl.predict.llama.weights import base_of
from humobctl.training.model_dir import (
    ADAPTER_CONFIG,
    CONFIG,
    RUN,
    Checkpoint,
    check_target,
    load,
    save,
    write_json,
)


@dataclass(frozen=True)
class Merge:
    """What to merge.

    Attributes:
        adapter: its dir.
        output: model dir to write.
        base: another base model than the one that the adapter names.
        precision: of the weights that are written: fp32, bf16 or fp16.
        overwrite: replace a model dir of that name.
    """

    adapter: str
    output: str
    base: str | None = None
    precision: str = "bf16"
    overwrite: bool = False


def merge(job: Merge) -> str:
    """Write a model dir of transformers with the adapter's changes in its weights.

    Returns:
        The name of the base model.

    Raises:
        HumobError: no adapter, or one of another base model; or the output cannot be written.
    """
    check_target(job.output, overwrite=job.overwrite)
    _require_adapter(job.adapter)
    about = load(job.adapter, arrays=False) if (Path(job.adapter) / RUN).is_file() else None
    config = about.config if about is not None else {}
    base = base_of(job.adapter, config, job.base)
    with readable(f"{base}, {job.adapter}"):
        files = files_of(base)
        network = load_causal(files, "fp32", "cpu", "none")
        tokenizer = load_tokenizer(files)
        check_vocabulary(network, tokenizer, base)
        network = attach_adapter(network, job.adapter).merge_and_unload()
    network = network.to(TYPES[job.precision])
    network.config.dtype = TYPES[job.precision]

    def write(folder: Path) -> None:
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        record = read_json(folder / CONFIG)
        kept = {name: config[name] for name in ("task", "template", "settings") if name in config}
        write_json(folder / CONFIG, {**record, "type": TYPE, "humobctl": kept})

    run = {**(about.run if about is not None else {}), "merged": job.adapter, "base": base}
    run.pop("version", None)
    save(Checkpoint(TYPE, {}, {}, run), job.output, overwrite=job.overwrite, write=write)
    return base


def _require_adapter(folder: str) -> None:
    if not (Path(folder) / ADAPTER_CONFIG).is_file():
        raise HumobError(f"{folder}: found no {ADAPTER_CONFIG}, expected a LoRA adapter dir")
