"""Files of pictures: endings, what they need, when libraries are loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from humobctl.errors import HumobError, UsageError
from humobctl.plots.files import check_plot
from tests.messages import raises


def test_only_endings_that_can_be_drawn(tmp_path) -> None:
    with raises(UsageError, "a.gif", ".png", ".svg", ".html"):
        check_plot(str(tmp_path / "a.gif"))


@pytest.mark.parametrize(
    ("file", "library"), [("a.png", "matplotlib"), ("a.html", "plotly"), ("a.svg", "matplotlib")]
)
def test_missing_library_is_one_clear_line(
    file: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humobctl.extras.installed_version", lambda name: None)
    with raises(HumobError, library, "'plot'", "pip install"):
        check_plot(file, interactive=True)


def test_pictures_are_not_loaded_with_the_module() -> None:
    code = (
        "import sys, humobctl.data.describe.plots, humobctl.plots.style; "
        "print([name in sys.modules for name in ('matplotlib', 'plotly')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[False, False]"
