"""Predictors from what ``predict --model`` names: an adapter, a merged or plain model, a GGUF."""

from __future__ import annotations

from pathlib import Path

from humobctl import report
from humobctl.checkpoint import RUN
from humobctl.errors import UsageError
from humobctl.models.city import City
from humobctl.models.device import check_precision, set_up, torch_device
from humobctl.models.language import load_language_model, require_chat_template
from humobctl.models.llama.infer import CompactPredictor
from humobctl.models.llama.origin import origin_of
from humobctl.models.llama.tokens import check_digits
from humobctl.models.llama.walk import PublishedPredictor
from humobctl.models.registry import Options


def from_name(name: str, city: City, options: Options) -> CompactPredictor | PublishedPredictor:
    """A predictor from an adapter dir, a model dir or a GGUF file.

    Raises:
        HumobError: it cannot be loaded, or cannot write the answers.
        UsageError: options that do not go with it.
    """
    prompting = options.prompting
    origin = origin_of(name, prompting.base, prompting.template)
    set_up(options.seed)
    device = torch_device(options.device)
    check_precision(options.precision, device)
    loaded = load_language_model(
        origin.base,
        adapter=origin.adapter,
        device=device.type,
        precision="bf16" if options.precision == "bf16" else "f32",
    )
    if origin.adapter is None and not (Path(name) / RUN).is_file():
        report.info(f"{name}: not trained for this; its answers are those of the model as it is")
    bf16 = options.precision == "bf16"
    if origin.template == "compact":
        if prompting.candidates == "all":
            raise UsageError(
                "--candidates all: the template compact names a person's own cells, expected own "
                "or near"
            )
        return CompactPredictor(
            *(loaded, city, origin.settings.shape, name),
            batch=prompting.batch,
            bf16=bf16,
            near=prompting.candidates == "near",
        )
    check_digits(loaded.tokenizer, name)
    require_chat_template(loaded.tokenizer, name)
    return PublishedPredictor(
        *(loaded, city), batch=prompting.batch, bf16=bf16, candidates=prompting.candidates
    )
