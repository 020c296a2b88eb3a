"""Models by the name they have on a hub: what is asked for over the network, and what is not."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit


def hub_settings() -> dict[str, bool]:
    """Arguments for ``from_pretrained``: without a way to the hub, only its cache is looked at.

    Otherwise the library would try each file six times, for more than half a minute. Notes of the
    library are silenced.
    """
    from huggingface_hub import constants  # noqa: PLC0415 - an optional package, 0.3 s
    from huggingface_hub.utils import logging  # noqa: PLC0415

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
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
