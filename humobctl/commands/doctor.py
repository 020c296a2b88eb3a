"""``humobctl doctor``: what is installed, and what works here."""

from __future__ import annotations

import platform
import sys

import typer

import humobctl

CORE = (
    *("typer", "rich", "numpy", "polars", "dataframely", "zstandard", "fastdtw", "safetensors"),
    *("pydantic", "scipy", "shapely"),
)
EXTRAS = {
    "places": ("osmium", "shapely", "ijson"),
    "plot": ("matplotlib", "plotly"),
    "torch": ("torch", "transformers", "accelerate", "tensorboard"),
    "diffusion": ("diffusers",),
    "openai": ("openai", "json-repair"),
    "llm": ("peft", "llguidance", "gguf"),
    "explore": ("plotly",),
    "nearest": ("faiss-cpu",),
    "umap": ("umap-learn",),
    "ray": ("ray",),
}


def doctor() -> None:
    """Report what is installed and what works here.

    Example: humobctl doctor
    """
    from humobctl import native, report
    from humobctl.errors import HumobError

    rows = [
        ("humobctl", humobctl.__version__, "ok"),
        ("python", platform.python_version(), "ok"),
        ("machine", f"{platform.system()} {platform.machine()}", f"{native.threads()} cores"),
    ]
    healthy = True
    try:
        native.library()
        rows.append(("compiled kernels", native.LIBRARY.name, "ok"))
    except HumobError as exc:
        rows.append(("compiled kernels", "-", str(exc)))
        healthy = False
    for extra, names in {"": CORE, **EXTRAS}.items():
        for name in names:
            version = _version(name)
            missing = f"missing: pip install 'humobctl[{extra}]'" if extra else "missing"
            rows.append((name, version or "-", "ok" if version else missing))
            healthy = healthy and (version is not None or bool(extra))
    report.table("humobctl doctor", ("part", "version", "state"), rows, stream=sys.stdout)
    if not healthy:
        raise typer.Exit(1)


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
