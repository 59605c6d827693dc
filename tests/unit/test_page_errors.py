"""The page explains every error with the same sentence as the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "page_errors.py"


def test_the_page_knows_every_error_in_both_languages() -> None:
    result = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_errors_of_the_server_are_among_them() -> None:
    locales = TOOL.parents[1] / "src" / "plumber_web" / "frontend" / "src" / "locales"
    sentences = [json.loads((locales / folder / "errors.json").read_text()) for folder in ("en", "zh-CN")]
    assert all({"not_found", "cross_site"} <= set(found) for found in sentences)
    assert sentences[0]["cross_site"] != sentences[1]["cross_site"]
