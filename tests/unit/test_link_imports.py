"""A connected link stays small: what its modules load, all together, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

_LINK = (
    "plumber_agent.main",
    "plumber_agent.connect",
    "plumber_core.runner.loop",
    "plumber_core.runner.describe",
    "plumber_core.runner.facts",
)
_HEAVY = {"pydantic", "sqlalchemy", "litestar", "httpx", "uvloop", "cyclopts", "rich", "pluggy", "structlog"}


def test_a_link_over_a_websocket_loads_nothing_heavy() -> None:
    code = f"import sys\nimport {', '.join(_LINK)}\nprint(*sorted(m.partition('.')[0] for m in sys.modules))"
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert set(result.stdout.split()) & _HEAVY == set()
