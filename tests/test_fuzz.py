"""The fuzzers' targets for a moment each, and every input that once broke one."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.mutate import mutated
from fuzz.seeds import pickled, seeds
from fuzz.targets import TARGETS, BrokenPromiseError, Target, check, nothing_is_run
from humobctl.console import report
from tests.conftest import ROOT
from tests.messages import raises

CRASHES = sorted((ROOT / "fuzz" / "crashes").rglob("*"))
EXAMPLES = 25


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Libraries may warn of what is nonsense; commands do not show that.

    Targets silence humobctl, which other tests in this process listen to.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    report.configure(quiet=False, verbose=False)


def target(name: str) -> Target:
    found = TARGETS[name]
    for package in found.needs:
        if find_spec(package) is None:
            pytest.skip(f"needs {package}, which is not installed")
    return found


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str, tmp_path: Path) -> None:
    for seed in seeds(name):
        check(target(name), tmp_path, seed)


@pytest.mark.parametrize("name", TARGETS)
def test_for_a_moment(name: str) -> None:
    found, known = target(name), seeds(name)
    near = st.builds(mutated, st.sampled_from(known), st.randoms(use_true_random=False))

    @settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None)
    @given(near | st.binary(max_size=60))
    def holds(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            check(found, Path(folder), data)

    holds()


@pytest.mark.parametrize(
    "path", [p for p in CRASHES if p.is_file()], ids=lambda p: f"{p.parent.name}/{p.name[:20]}"
)
def test_what_once_broke(path: Path, tmp_path: Path) -> None:
    check(target(path.parent.name), tmp_path, path.read_bytes())


def test_the_check_can_fail(tmp_path: Path) -> None:
    def fail(_folder: Path, _choice: int, payload: bytes) -> None:
        raise KeyError(payload)

    with pytest.raises(KeyError):
        check(Target("broken", fail), tmp_path, b"\0x")
    with pytest.raises(BrokenPromiseError), nothing_is_run():
        (tmp_path / "opened").write_bytes(b"")


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path: Path) -> None:
    import io
    import pickle

    from humobctl.data.importers import pickles
    from humobctl.errors import HumobError

    with raises(HumobError, "os.system", "pickle", "nothing was run"):
        pickles.load(io.BytesIO(pickled()[-1]), "in")
    with pytest.raises(BrokenPromiseError), nothing_is_run():
        pickle.loads(b"cos\nmkdir\n(S'" + str(tmp_path / "made").encode() + b"'\ntR.")  # noqa: S301
