"""The public names of ``plumber_core``: pinned, sorted, and free until they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import plumber_core

NAMES = [
    "Authenticator",
    "Authoriser",
    "Bearer",
    "Command",
    "CommandExecutor",
    "Conflict",
    "Credential",
    "CredentialRejected",
    "Decision",
    "EsModule",
    "Event",
    "EventSubscriber",
    "ExecutionState",
    "Executor",
    "Forbidden",
    "Gate",
    "IdentityStore",
    "InvalidRequest",
    "MarkdownOf",
    "MissingExtra",
    "NotFound",
    "Notification",
    "Notifier",
    "Parameter",
    "Password",
    "PluginContext",
    "Plumber",
    "PlumberError",
    "Principal",
    "Rollout",
    "SecretNotFound",
    "SecretProvider",
    "SecretRef",
    "Step",
    "StepContext",
    "StepFailed",
    "StepState",
    "SyncExecutor",
    "TableOf",
    "Task",
    "TokenRecord",
    "Unauthenticated",
    "Unavailable",
    "UserRecord",
    "ValidationFailed",
    "WebPanel",
    "__version__",
    "executor",
    "hookimpl",
]


def test_names_are_pinned_and_sorted() -> None:
    assert plumber_core.__all__ == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_name_resolves_to_where_the_type_checker_sees_it(name: str) -> None:
    assert getattr(plumber_core, name) is not None
    assert name in dir(plumber_core)


def test_lazy_table_equals_the_type_checkers_imports() -> None:
    tree = ast.parse(Path(plumber_core.__file__).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == plumber_core._WHERE


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pipeline'"):
        _ = plumber_core.Pipeline


def test_import_loads_next_to_nothing() -> None:
    code = (
        "import sys; import plumber_core; "
        "print(sorted({'pydantic', 'sqlalchemy', 'pluggy', 'asyncio'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_pytest_plugin_loads_next_to_nothing() -> None:
    code = "import sys, pytest; before = set(sys.modules); import plumber_core.testing.pytest_plugin; " + (
        "print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) == {
        "plumber_core",
        "plumber_core.testing",
        "plumber_core.testing.pytest_plugin",
    }
