"""Predictors from what ``predict --model`` names: an adapter, a merged or plain model, a GGUF."""

from __future__ import annotations

from pathlib import Path

from humobctl.console import report
from humobctl.errors import UsageError
from humobctl.llm.chat import require_chat_template
from humobctl.llm.load import load_language_model
from humobctl.predict.base import PredictOptions
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.llama.predict_compact import CompactPredictor
from humobctl.predict.llama.predict_published import PublishedPredictor
from humobctl.predict.llama.tokens import check_digits
from humobctl.predict.llama.weights import origin_of
from humobctl.training.device import choose_precision, set_up, torch_device
from humobctl.training.model_dir import RUN


def from_name(
    name: str, city: CityProfile, options: PredictOptions
) -> CompactPredictor | PublishedPredictor:
    """A predictor from an adapter dir, a model dir or a GGUF file.

    Raises:
        HumobError: it cannot be loaded, or cannot write the answers.
        UsageError: options that do not go with it.
    """
    prompting = options.prompting
    origin = origin_of(name, prompting.base, prompting.template)
    set_up(options.seed)
    device = torch_device(options.device)
    precision = choose_precision(options.precision, device)
    loaded = load_language_model(
        origin.base,
        adapter=origin.adapter,
        device=device.type,
        precision=precision,
        quantization=prompting.quantization,
    )
    if origin.adapter is None and not (Path(name) / RUN).is_file():
        report.info(f"{name}: not fine-tuned for this task; predicting with the model as it is")
    bf16 = precision == "bf16"
    if origin.template == "compact":
        if prompting.candidates == "all":
            raise UsageError(
                "--candidates all: found the template compact, which lists a user's cells; "
                "expected own or near"
            )
        return CompactPredictor(
            loaded,
            city,
            shape=origin.settings.shape,
            name=name,
            batch=prompting.batch,
            bf16=bf16,
            near=prompting.candidates == "near",
        )
    check_digits(loaded.tokenizer, name)
    require_chat_template(loaded.tokenizer, name)
    return PublishedPredictor(
        loaded, city, batch=prompting.batch, bf16=bf16, candidates=prompting.candidates
    )
