"""The generated parts of the documentation are what the code says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from plumber_core.model.states import StepState
from support.pages import ROOT

_TOOL = ROOT / "tools" / "reference.py"


def test_no_generated_part_is_stale() -> None:
    environment = {"LANG": "zh_CN.UTF-8"}  # The pages are English, whoever makes them.
    result = subprocess.run([sys.executable, _TOOL, "--check"], capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.fixture
def architecture() -> str:
    return (ROOT / "docs" / "explanation" / "architecture.md").read_text()


def test_every_room_of_the_core_is_described(architecture: str) -> None:
    core = ROOT / "src" / "plumber_core"
    rooms = {path.stem for path in core.iterdir() if path.name not in ("__init__.py", "__pycache__", "py.typed")}
    described = set(re.findall(r"`(\w+)`", architecture.partition("room of `plumber_core`")[2]))
    assert sorted(rooms - described - {"schema"}) == []


def test_every_state_of_a_step_is_explained() -> None:
    page = (ROOT / "docs" / "explanation" / "states.md").read_text()
    explained = page.partition("| state | means |")[2].partition("Ended states")[0]
    assert [state for state in StepState if f"`{state}`" not in explained] == []


def test_every_error_of_an_attempt_is_explained() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text()
    sources = [*(ROOT / "src/plumber_core/engine").glob("*.py"), ROOT / "src/plumber_core/runner/outcomes.py"]
    known = {error for source in sources for error in re.findall(r'error"?[:=] ?"(\w+)"', source.read_text())}
    assert known
    assert sorted(error for error in known if f"`{error}`" not in page) == []
