"""Plugins are found, checked and called: what fits works in any order, what does not is named with its distribution."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from plumber_core import (
    Authenticator,
    Authoriser,
    Bearer,
    Credential,
    Decision,
    EsModule,
    Event,
    EventSubscriber,
    Executor,
    MarkdownOf,
    Notification,
    Notifier,
    PluginContext,
    Principal,
    SecretProvider,
    SecretRef,
    StepContext,
    TableOf,
    WebPanel,
    executor,
    hookimpl,
)
from plumber_core.errors import PluginBroken, StartupError
from plumber_core.plugins import discovery
from plumber_core.plugins.discovery import InstalledPlugin
from plumber_core.plugins.manager import PluginManager
from plumber_core.plugins.settings import PluginSettings
from support.plugins import plugin_of


class NoParams(BaseModel):
    pass


class Nothing(Executor[NoParams]):
    """Does nothing."""

    Params = NoParams

    def __init__(self, kind: str) -> None:
        self.kind = kind  # type: ignore[misc]

    async def run(self, ctx: StepContext, params: NoParams) -> None:
        return None


class Nobody(Authenticator):
    accepts = frozenset({Bearer})

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]

    async def authenticate(self, credential: Credential) -> Principal | None:
        return None


def plugin(hook: str, answer: Any) -> ModuleType:
    """A plugin with one hook that answers this."""

    def implementation(ctx: PluginContext) -> Any:
        return answer(ctx) if callable(answer) else answer

    return plugin_of(**{hook: implementation})


def manager(*plugins: tuple[str, object], settings: PluginSettings | None = None) -> PluginManager:
    made = PluginManager(settings or PluginSettings())
    for name, item in plugins:
        made.register(item, name, f"dist-{name} 1.0")
    made.check()
    return made


def broken(work: Callable[[], object]) -> str:
    with pytest.raises(PluginBroken) as caught:
        work()
    return str(caught.value)


def test_hook_register_executors() -> None:
    found = manager(("a", plugin("register_executors", [Nothing("one"), Nothing("two")]))).executors()
    assert [(entry.name, entry.plugin) for entry in found] == [("one", "a (dist-a 1.0)"), ("two", "a (dist-a 1.0)")]


def test_hook_register_authenticators() -> None:
    settings = PluginSettings.from_table({"order": {"authenticators": ["zeta"]}})
    plugins = [(name, plugin("register_authenticators", [Nobody(name)])) for name in ("beta", "zeta", "alpha")]
    found = manager(*plugins, settings=settings).authenticators()
    assert [entry.name for entry in found] == ["zeta", "alpha", "beta"]


def test_hook_register_authorisers() -> None:
    class Never(Authoriser):
        name = "never"

        async def decide(self, principal: Principal, action: str, resource: str | None) -> Decision:
            return Decision.DENY

    assert [entry.name for entry in manager(("a", plugin("register_authorisers", [Never()]))).authorisers()] == [
        "never"
    ]


def test_hook_register_notifiers() -> None:
    class Quiet(Notifier):
        def __init__(self, name: str) -> None:
            self.name = name

        async def send(self, notification: Notification) -> None:
            return None

    found = manager(("a", plugin("register_notifiers", [Quiet("ops"), Quiet("dev")]))).notifiers()
    assert [entry.name for entry in found] == ["dev", "ops"]


def test_hook_register_secret_providers() -> None:
    class Vault(SecretProvider):
        scheme = "vault"

        async def fetch(self, ref: SecretRef) -> Any:
            raise NotImplementedError

    found = manager(("a", plugin("register_secret_providers", [Vault()]))).secret_providers()
    assert [entry.name for entry in found] == ["vault"]


def test_hook_register_event_subscribers() -> None:
    class Ear(EventSubscriber):
        name = "ear"

        async def handle(self, event: Event) -> None:
            return None

    found = manager(("a", plugin("register_event_subscribers", [Ear()]))).event_subscribers()
    assert [entry.name for entry in found] == ["ear"]


@pytest.mark.parametrize(
    ("panel", "reason"),
    [
        (WebPanel("a", "cellar", "A", MarkdownOf("x")), "there is no slot 'cellar', only home, task"),  # type: ignore[arg-type]
        (WebPanel("a", "home", "A", TableOf("https://elsewhere.example/x", ())), "is no address of this server"),
        (WebPanel("a", "home", "A", EsModule("/x.js")), "is no address of this server"),
        (WebPanel("a", "home", "A", EsModule("../x.js")), "is no address of this server"),
        (WebPanel("a", "home", "A", "text"), "its source is str"),  # type: ignore[arg-type]
    ],
)
def test_a_panel_that_the_page_could_not_show_is_refused(panel: WebPanel, reason: str) -> None:
    with pytest.raises(PluginBroken, match=reason):
        manager(("a", plugin("register_web_panels", [panel]))).web_panels()


def test_hook_register_web_panels() -> None:
    source = MarkdownOf("x")
    panels = [
        WebPanel("late", "home", "A", source),
        WebPanel("early", "home", "Z", source, order=1),
        WebPanel("agents", "agent", "M", source),
    ]
    found = manager(("a", plugin("register_web_panels", panels))).web_panels()
    assert [entry.name for entry in found] == ["agents", "early", "late"]


def test_hook_register_commands() -> None:
    seen = []

    class Commands:
        @hookimpl
        def register_commands(self, cli: Any, ctx: PluginContext) -> None:
            seen.append((cli, ctx.plugin))

    manager(("a", Commands())).add_commands("the app")  # type: ignore[arg-type]
    assert seen == [("the app", "a")]


def test_hooks_are_called_once_with_the_plugins_own_context() -> None:
    class Settings(BaseModel):
        greeting: str = "Hello"

    seen: list[tuple[str, str]] = []

    def register(ctx: PluginContext) -> Iterable[Executor[Any]]:
        seen.append((ctx.plugin, ctx.settings(Settings).greeting))
        yield Nothing(ctx.plugin)

    settings = PluginSettings.from_table({"b": {"greeting": "Servus"}})
    made = manager(*((name, plugin("register_executors", register)) for name in "ba"), settings=settings)
    assert [entry.name for entry in made.executors()] == ["a", "b"]
    assert seen == [("a", "Hello"), ("b", "Servus")]


@pytest.mark.parametrize("seed", range(5))
def test_order_does_not_depend_on_registration(seed: int) -> None:
    plugins = [(name, plugin("register_authenticators", [Nobody(f"of-{name}")])) for name in "abcdef"]
    random.Random(seed).shuffle(plugins)
    assert [entry.name for entry in manager(*plugins).authenticators()] == [f"of-{name}" for name in "abcdef"]


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_duplicate_kind_names_both_distributions(order: str) -> None:
    plugins = {name: plugin("register_executors", [Nothing("same")]) for name in order}
    text = broken(lambda: manager(*plugins.items()).executors())
    assert "Plugin b (dist-b 1.0) cannot be used: kind 'same' is also registered by a (dist-a 1.0)" in text
    assert "PLUMBER_DISABLE_PLUGINS=b." in text


def test_duplicate_plugin_name_names_both_distributions() -> None:
    made = manager(("a", plugin("register_executors", [])))
    text = broken(lambda: made.register(plugin("register_executors", []), "a", "other 2.0"))
    assert "a (other 2.0)" in text
    assert "a (dist-a 1.0)" in text


def test_unknown_argument_is_refused() -> None:
    class Odd:
        @hookimpl
        def register_executors(self, ctx: Any, nonsense: Any) -> list[Any]:
            return []

    text = broken(lambda: manager(("odd", Odd())))
    assert "odd (dist-odd 1.0)" in text
    assert "nonsense" in text


def test_unknown_hook_is_refused_with_the_nearest_name() -> None:
    text = broken(lambda: manager(("odd", plugin("register_executor", []))))
    assert "there is no hook register_executor; did you mean register_executors?" in text


def test_optional_hook_may_be_unknown() -> None:
    class ForServers:
        @hookimpl(optionalhook=True)
        def register_routes(self, ctx: Any) -> list[Any]:
            return []

    assert [info.hooks for info in manager(("web", ForServers())).plugins()] == [("register_routes",)]


def test_plugin_without_a_marked_hook_is_refused() -> None:
    assert "is @hookimpl missing?" in broken(lambda: manager(("bare", SimpleNamespace(register_executors=list))))


def test_async_hook_is_refused() -> None:
    class Late:
        @hookimpl
        async def register_executors(self) -> list[Any]:
            return []

    assert "register_executors is async; hooks are plain functions" in broken(lambda: manager(("late", Late())))


def test_hook_wrapper_is_refused() -> None:
    class Around:
        @hookimpl(wrapper=True)
        def register_executors(self) -> Any:
            return (yield)

    assert "hooks only register" in broken(lambda: manager(("around", Around())))


def test_reserved_name_is_refused() -> None:
    assert "means something else in [plugins]" in broken(lambda: manager(("order", plugin("register_executors", []))))


class PlainRun(Executor[NoParams]):
    kind = "plain"
    Params = NoParams

    def run(self, ctx: StepContext, params: NoParams) -> None:  # type: ignore[override]
        return None


class AsyncSummary(Nothing):
    async def summary(self, params: NoParams) -> str:  # type: ignore[override]
        return "late"


class NoModel(Nothing):
    Params = dict  # type: ignore[assignment]


@executor("fine")
async def fine(ctx: StepContext) -> None:
    """Does nothing."""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([PlainRun()], "PlainRun.run is a plain function; write `async def run`, or derive from SyncExecutor"),
        ([AsyncSummary("x")], "AsyncSummary.summary is async"),
        ([NoModel("x")], "NoModel.Params is no pydantic model"),
        ([Nothing("Has Spaces")], "Nothing.kind is 'Has Spaces'"),
        ([Nothing(5)], "Nothing.kind is 5"),  # type: ignore[arg-type]
        ([Nothing], "returned the class Nothing; return an object of it"),
        ([Nobody("x")], "returned Nobody, which is no Executor"),
        (fine, "returned _function_executor"),
        ({"fine": fine}, "returned dict"),
        ("fine", "returned str"),
        (lambda ctx: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_what_does_not_fit_is_refused_at_start(answer: Any, reason: str) -> None:
    wrapped = (lambda ctx: answer) if isinstance(answer, Executor) else answer
    text = broken(lambda: manager(("bad", plugin("register_executors", wrapped))).executors())
    assert "Plugin bad (dist-bad 1.0) cannot be used" in text
    assert reason.replace("_function_executor", "fine") in text


def test_wrong_settings_name_the_key_and_hide_the_value() -> None:
    class Settings(BaseModel):
        retries: int

    with pytest.raises(StartupError) as caught:
        PluginContext("greet", {"retries": "hunter2", "retrys": "hunter3"}).settings(Settings)
    assert "[plugins.greet] retries: " in str(caught.value)
    assert "[plugins.greet] retrys: " in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_context_without_identities_says_so() -> None:
    with pytest.raises(StartupError, match="greet needs users and tokens"):
        _ = PluginContext("greet").identities


def installed(monkeypatch: pytest.MonkeyPatch, **plugins: object) -> list[str]:
    """Make these the installed plugins; return the list that records which are loaded."""
    loaded: list[str] = []

    def load(name: str) -> Any:
        loaded.append(name)
        if isinstance(item := plugins[name], Exception):
            raise item
        return item

    found = [InstalledPlugin(name, f"dist-{name} 1.0", lambda name=name: load(name)) for name in plugins]  # type: ignore[misc]
    monkeypatch.setattr("plumber_core.plugins.manager.installed_plugins", lambda: found)
    return loaded


def test_installed_plugins_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = installed(monkeypatch, a=plugin("register_executors", [fine]))
    made = PluginManager(PluginSettings())
    made.load_installed()
    assert loaded == ["a"]
    assert [entry.name for entry in made.executors()] == ["fine"]


@pytest.mark.parametrize("value", ["a", "dist-a", " b , a"])
def test_disabled_plugin_is_not_even_imported(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = installed(monkeypatch, a=RuntimeError("must not load"), c=plugin("register_executors", []))
    monkeypatch.setenv("PLUMBER_DISABLE_PLUGINS", value)
    PluginManager().load_installed()
    assert loaded == ["c"]


def test_enabled_list_keeps_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = installed(monkeypatch, a=plugin("register_executors", []), b=plugin("register_executors", []))
    PluginManager(PluginSettings.from_table({"enabled": ["b"]})).load_installed()
    assert loaded == ["b"]


def test_plugin_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, a=ImportError("no module named vault"))
    assert "a (dist-a 1.0) cannot be used: ImportError: no module named vault" in broken(PluginManager().load_installed)


def test_built_in_plugins_are_installed_as_entry_points() -> None:
    names = {found.name for found in discovery.installed_plugins()}
    assert {"shell", "script", "http", "password", "token", "default-authoriser", "webhook"} <= names


@pytest.mark.parametrize(
    "table", [{"greet": "x"}, {"disabled": "a"}, {"enabled": [1]}, {"order": []}, {"order": {"notifiers": "a"}}]
)
def test_table_that_is_no_table_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(StartupError, match=r"\[plugins\]"):
        PluginSettings.from_table(table)
