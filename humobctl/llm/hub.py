"""Models by the name they have on a hub: what is asked for over the network, and what is not."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from humobctl.errors import HumobError

_WANTED = ("*.json", "*.safetensors", "*.model", "*.jinja", "*.txt")
"""Data of models and tokenizers. No Python and no pickle is fetched, so that none can be run."""
_UNWANTED = ("*/*", "consolidated*")
"""Other forms of the same weights."""


def fetch(name: str) -> Path:
    """The folder of a model's files in the hub's cache, fetched if they are not there.

    Raises:
        HumobError: there is no such model, or no way to the hub.
    """
    from huggingface_hub import errors, snapshot_download  # noqa: PLC0415 - an optional package

    if name.startswith((".", "/", "~")):
        raise HumobError(
            f"{name}: found no such folder, expected one of a model (config.json, *.safetensors), "
            "a GGUF file, or a model's name on the hub such as HuggingFaceTB/SmolLM2-135M-Instruct"
        )
    try:
        offline = bool(hub_settings())
        folder: str = snapshot_download(
            name,
            allow_patterns=[*_WANTED],
            ignore_patterns=[*_UNWANTED],
            local_files_only=offline,
        )
    except errors.HFValidationError as exc:
        raise HumobError(f"{name}: found no such folder, and the name is not one of a hub") from exc
    except errors.LocalEntryNotFoundError as exc:
        raise HumobError(
            f"{name}: found no such folder, no such model in the hub's cache, and no network to "
            "fetch it"
        ) from exc
    except errors.GatedRepoError as exc:
        raise HumobError(
            f"{name}: access on the hub is restricted; request it there, and set HF_TOKEN"
        ) from exc
    except errors.RepositoryNotFoundError as exc:
        raise HumobError(f"{name}: found no such folder, and no such model on the hub") from exc
    return Path(folder)


def hub_settings() -> dict[str, bool]:
    """Arguments for the hub's library: without a way to the hub, only its cache is looked at.

    Otherwise the library would try each file six times, for more than half a minute. Notes of the
    library are silenced.
    """
    from huggingface_hub import constants  # noqa: PLC0415 - an optional package, 0.3 s
    from huggingface_hub.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()
    return {} if _reachable(constants.ENDPOINT) else {"local_files_only": True}


def _reachable(address: str) -> bool:
    """Whether the host of an address has a name here, or a proxy is set that may know it."""
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return True
    parts = urlsplit(address)
    try:
        socket.getaddrinfo(parts.hostname, parts.port or 443)
    except OSError:
        return False
    return True
