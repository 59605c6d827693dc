"""Every mutant still fits the source: none is skipped because the text that it changes has moved on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import mutants

CORE = mutants.ROOT / "src/plumber_core"


@pytest.mark.parametrize("mutant", mutants.mutants(), ids=lambda mutant: mutant["name"])
def test_a_mutant_changes_the_source_and_leaves_it_a_program(mutant: dict[str, Any], tmp_path: Path) -> None:
    files = {change["file"] for change in mutant["changes"]}
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CORE / file, tmp_path / file)
    mutants.apply(mutant, tmp_path)
    for file in files:
        text = (tmp_path / file).read_text("utf-8")
        assert text != (CORE / file).read_text("utf-8")
        compile(text, file, "exec")


def test_a_mutant_that_fits_nowhere_says_so(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("a = 1\n")
    stale = {"name": "stale", "changes": [{"file": "file.py", "search": "a = 2", "replace": ""}]}
    with pytest.raises(SystemExit, match="found 0 times in file"):
        mutants.apply(stale, tmp_path)
