"""Which file imports which: read from the sources, nothing is imported."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "humobctl"
ROOMS = (
    "__main__",
    "cli",
    "commands",
    "api",
    "doctor",
    "explore view",
    "predict generate intend embed",
    "evaluate",
    "data",
    "llm",
    "training",
    "execution",
    "page plots",
    "io",
    "tables",
    "native ranks",
    "extras",
    "errors",
    "console kernels",
)
"""From top to bottom: a room imports itself and what is below it, not what stands beside it."""
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms.split()}
ALLOWED = {
    "typer": ("humobctl.__main__", "humobctl.cli", "humobctl.commands."),
    "rich": ("humobctl.console.report",),
    "click": (),
}
"""Libraries that only some modules may import; typer carries a click of its own."""

Imports = Mapping[str, set[str]]


@functools.cache
def imported_in(text: bytes) -> frozenset[str]:
    """All that a file imports, read once; most files of a copy of the package are as they were."""
    return frozenset(names_in(ast.parse(text)))


def names_in(tree: ast.Module) -> Iterator[str]:
    """All that a file imports, in functions and for types alone, too: ``a.b`` or ``a.b.name``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str, modules: set[str]) -> str | None:
    """The module of the package that a name is in; None for the public face and for others."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return None if name in ("", PACKAGE.name) else name


def read_imports(package: Path) -> Imports:
    """What each module of a package imports, by whole names."""
    files = {
        ".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): file
        for file in package.rglob("*.py")
    }
    return {name: set(imported_in(file.read_bytes())) for name, file in files.items()}


@pytest.fixture(scope="module")
def imports() -> Imports:
    """Those of humobctl."""
    return read_imports(PACKAGE)


def inside(imports: Imports) -> dict[str, set[str]]:
    """The same between modules of the package; the public face loads what it is asked for."""
    modules = set(imports)
    found = {
        name: {module_of(other, modules) for other in others} for name, others in imports.items()
    }
    return {
        name: {other for other in others if other is not None and other != name}
        for name, others in found.items()
        if name != PACKAGE.name
    }


def circle(graph: Imports) -> list[str]:
    """Modules that import each other in a circle; none where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        found: list[str] = exc.args[1]
        return found
    return []


def climbing(graph: Imports) -> list[str]:
    """Imports of what stands above or beside a room."""

    def room(module: str) -> str:
        return module.split(".")[1]

    return sorted(
        f"{one} imports {other}"
        for one, others in graph.items()
        for other in others
        if room(one) != room(other) and LEVEL[room(one)] >= LEVEL[room(other)]
    )


def strangers(imports: Imports, library: str) -> list[str]:
    """Modules that import a library and should not."""
    return sorted(
        name
        for name, others in imports.items()
        if any(other.split(".")[0] == library for other in others)
        and not f"{name}.".startswith(ALLOWED[library] or ("nobody",))
    )


def test_no_circle_between_files(imports: Imports) -> None:
    graph = inside(imports)
    assert len(graph) > 200
    assert circle(graph) == []


def test_imports_go_down_the_rooms(imports: Imports) -> None:
    assert climbing(inside(imports)) == []


@pytest.mark.parametrize("library", ALLOWED)
def test_libraries_that_have_their_place(imports: Imports, library: str) -> None:
    assert strangers(imports, library) == []


def test_faults_are_found() -> None:
    sources = {
        "humobctl": "def load():\n    from humobctl import api",
        "humobctl.io": "",
        "humobctl.io.read": "from typing import Any\nfrom humobctl.io import text",
        "humobctl.io.text": (
            "if TYPE_CHECKING:\n    from humobctl.io.read import Reader\nimport rich.table"
        ),
        "humobctl.embed": "from humobctl import __version__\nfrom humobctl.io.read import Reader",
        "humobctl.predict": "def late():\n    import humobctl.embed, click",
        "humobctl.tables": "from humobctl.io import streams\nfrom typer import Option",
    }
    imports = {name: set(names_in(ast.parse(text))) for name, text in sources.items()}
    graph = inside(imports)
    assert set(circle(graph)) == {"humobctl.io.read", "humobctl.io.text"}
    assert climbing(graph) == [
        "humobctl.predict imports humobctl.embed",
        "humobctl.tables imports humobctl.io",
    ]
    found = [strangers(imports, library) for library in ALLOWED]
    assert found == [["humobctl.tables"], ["humobctl.io.text"], ["humobctl.predict"]]
