"""What is checked of a plugin's objects before anybody uses them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from plumber_core.model.panel_slots import SLOTS
from plumber_core.plugins.catalogue import HookContract
from plumber_core.plugins.contracts.authenticator import Authenticator, Credential
from plumber_core.plugins.contracts.base import PluginObject
from plumber_core.plugins.contracts.event_subscriber import EventSubscriber
from plumber_core.plugins.contracts.executor import Executor
from plumber_core.plugins.contracts.web_panel import EsModule, MarkdownOf, TableOf, WebPanel

_OWN = re.compile(r"(?!\.\.?/)[\w.~-]+(/(?!\.\.?(/|$))[\w.~-]+)*(\?[^#\s]*)?", re.ASCII)
NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
"""Names that go into task files, tables and URLs."""


def object_problem(item: object, contract: HookContract[Any]) -> str | None:
    """Return what keeps ``item`` from being used under the contract, or None."""
    if contract.base is None:
        return None
    if inspect.isclass(item):
        return f"{contract.hook} returned the class {item.__name__}; return an object of it"
    if not isinstance(item, contract.base):
        return f"{contract.hook} returned {type(item).__name__}, which is no {contract.base.__name__}"
    name = getattr(item, contract.name, None) if contract.name else "unnamed"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"{type(item).__name__}.{contract.name} is {name!r}; expected a name such as 'greet'"
    if isinstance(item, PluginObject) and (problem := _method_problem(item, contract.base)):
        return problem
    if isinstance(item, WebPanel):
        return _panel_problem(item)
    if problem := _selection_problem(item):
        return problem
    return _executor_problem(item) if isinstance(item, Executor) else None


def _selection_problem(item: object) -> str | None:
    """What an object wants to hear of is a set: of a text alone each letter would be one."""
    if isinstance(item, EventSubscriber):
        kinds: Any = item.kinds
        if kinds is not None and not (_is_set(kinds) and all(isinstance(kind, str) for kind in kinds)):
            return f'{type(item).__name__}.kinds is {kinds!r}; expected None or a set such as {{"agent.created"}}'
    if isinstance(item, Authenticator):
        accepts: Any = getattr(item, "accepts", None)
        if not (_is_set(accepts) and all(inspect.isclass(one) and issubclass(one, Credential) for one in accepts)):
            return f"{type(item).__name__}.accepts is {accepts!r}; expected a set such as {{Bearer}}"
    return None


def _is_set(value: object) -> bool:
    return isinstance(value, set | frozenset)


def _panel_problem(panel: WebPanel) -> str | None:
    """The page shows what is of this server only: nothing else passes its content security policy."""
    if panel.slot not in SLOTS:
        return f"panel {panel.name}: there is no slot {panel.slot!r}, only {', '.join(SLOTS)}"
    if not isinstance(panel.source, TableOf | MarkdownOf | EsModule):
        return f"panel {panel.name}: its source is {type(panel.source).__name__}"
    url = getattr(panel.source, "url", None)
    if url is not None and (not isinstance(url, str) or not _OWN.fullmatch(url)):
        return f"panel {panel.name}: {url!r} is no address of this server without a leading /, such as 'greet/panel.js'"
    return None


def _method_problem(item: PluginObject, contract: type) -> str | None:
    """Find methods that are plain where the contract's are async, or the other way round."""
    for name, promised in inspect.getmembers(contract, inspect.isfunction):
        if name.startswith("_"):
            continue
        given, subject = getattr(item, name), f"{type(item).__name__}.{name}"
        if _is_async(promised) and not _is_async(given):
            hint = ", or derive from SyncExecutor and name it run_sync" if name == "run" else ""
            return f"{subject} is a plain function; write `async def {name}`{hint}"
        if _is_async(given) and not _is_async(promised):
            return f"{subject} is async; the contract's is a plain function"
    return None


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(function))


def _executor_problem(item: Executor[Any]) -> str | None:
    from pydantic import BaseModel

    model = getattr(item, "Params", None)
    if not (inspect.isclass(model) and issubclass(model, BaseModel)):
        return f"{type(item).__name__}.Params is no pydantic model"
    return None
