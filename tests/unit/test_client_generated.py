"""What is generated is up to date."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_client", TOOLS / "generate_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_nouns_and_sync_twins_are_what_the_generator_writes(generator: ModuleType) -> None:
    stale = [path.name for path, text in generator.generate().items() if path.read_text() != text]
    assert stale == [], "run tools/generate_client.py"


def test_nothing_async_is_left_in_the_twin(generator: ModuleType) -> None:
    for path, text in generator.generate().items():
        if path.name.startswith("_sync"):
            assert "async" not in text.partition('"""\n')[2].lower().replace("_async", "")
            assert not re.search(r"\bawait\b", text)
