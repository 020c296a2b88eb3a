"""Names in the code: a class has one of its own, and an argument is given by its."""

import ast
from collections import defaultdict

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    """The package's code by file."""
    files = sorted((ROOT / "humobctl").rglob("*.py"))
    return {str(file.relative_to(ROOT)): ast.parse(file.read_bytes()) for file in files}


def test_the_names_of_classes_are_unique(modules: dict[str, ast.Module]) -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for file, module in modules.items():
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{file}:{node.lineno}")
    assert len(places) > 200
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_call_hides_names_of_arguments_in_a_tuple(modules: dict[str, ast.Module]) -> None:
    """``f(*(a, b), c=1)`` is ``f(first=a, second=b, c=1)``, or ``f(a, b, c=1)``."""
    calls = [
        (f"{file}:{node.lineno}", node)
        for file, module in modules.items()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
    ]
    assert len(calls) > 5_000
    assert [place for place, call in calls if any(map(_unpacks_a_display, call.args))] == []


def _unpacks_a_display(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Tuple | ast.List)
