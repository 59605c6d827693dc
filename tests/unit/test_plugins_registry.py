"""The registry opens and closes objects, and answers who and whether, on the safe side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from plumber_core import (
    Authenticator,
    Authoriser,
    Bearer,
    Credential,
    CredentialRejected,
    Decision,
    Event,
    EventSubscriber,
    Password,
    Principal,
)
from plumber_core.errors import Forbidden, PluginBroken, RateLimited, Unauthenticated, Unavailable, WrongPassword
from plumber_core.plugins import registry as registry_module
from plumber_core.plugins.manager import PluginManager
from plumber_core.plugins.registry import PluginRegistry
from plumber_core.plugins.settings import PluginSettings
from support.plugins import plugin_of

ADA = Principal(kind="user", id="u1", name="ada")


class Fixed(Authenticator):
    """Answers, or raises, always the same; keeps a diary."""

    accepts = frozenset({Bearer, Password})

    def __init__(self, name: str, answer: Any, diary: list[str] | None = None) -> None:
        self.name = name  # type: ignore[misc]
        self.answer = answer
        self.diary = [] if diary is None else diary

    async def open(self) -> None:
        self.diary.append(f"open {self.name}")
        if self.answer == "cannot open":
            raise OSError("no route to directory")

    async def close(self) -> None:
        self.diary.append(f"close {self.name}")
        if self.answer == "cannot close":
            raise OSError("already gone")

    async def authenticate(self, credential: Credential) -> Principal | None:
        self.diary.append(f"ask {self.name}")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


class Voice(Authoriser):
    def __init__(self, name: str, answer: Any) -> None:
        self.name = name  # type: ignore[misc]
        self.answer = answer

    async def decide(self, principal: Principal, action: str, resource: str | None) -> Decision:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


def registry(authenticators: Sequence[Authenticator] = (), authorisers: Sequence[Authoriser] = ()) -> Any:
    manager = PluginManager(PluginSettings())
    plugin = plugin_of(register_authenticators=lambda: authenticators, register_authorisers=lambda: authorisers)
    manager.register(plugin, "test", "test 1.0")
    return PluginRegistry.of(manager)


async def test_first_that_knows_the_credential_answers() -> None:
    diary: list[str] = []
    async with registry([Fixed("a", None, diary), Fixed("b", ADA, diary), Fixed("c", None, diary)]) as plugins:
        diary.clear()
        assert await plugins.authenticate(Bearer("x")) == ADA
    assert [line for line in diary if line.startswith("ask")] == ["ask a", "ask b"]


async def test_rejection_ends_the_search() -> None:
    async with registry([Fixed("a", CredentialRejected("expired")), Fixed("b", ADA)]) as plugins:
        with pytest.raises(Unauthenticated):
            await plugins.authenticate(Bearer("x"))


@pytest.mark.parametrize("answer", [None, CredentialRejected("wrong")])
@pytest.mark.parametrize(("credential", "error"), [(Bearer("x"), Unauthenticated), (Password("a", "b"), WrongPassword)])
async def test_unknown_and_wrong_get_one_answer(answer: Any, credential: Credential, error: type[Exception]) -> None:
    async with registry([Fixed("a", answer)]) as plugins:
        with pytest.raises(Unauthenticated) as caught:
            await plugins.authenticate(credential)
    assert type(caught.value) is error
    assert caught.value.__cause__ is None
    assert caught.value.arguments == {}


@pytest.mark.parametrize("answer", [OSError("directory is down"), "ada", 0, True])
async def test_failing_authenticator_is_never_anonymous(answer: Any) -> None:
    async with registry([Fixed("a", answer), Fixed("b", ADA)]) as plugins:
        with pytest.raises(Unavailable, match="authenticator a failed"):
            await plugins.authenticate(Bearer("x"))


async def test_rate_limit_of_an_authenticator_passes() -> None:
    async with registry([Fixed("a", RateLimited(retry_after=3))]) as plugins:
        with pytest.raises(RateLimited):
            await plugins.authenticate(Bearer("x"))


async def test_credential_goes_only_to_those_who_accept_it() -> None:
    class Badge(Credential):
        pass

    async with registry([Fixed("a", ADA)]) as plugins:
        with pytest.raises(Unauthenticated):
            await plugins.authenticate(Badge())


A, D, N = Decision.ALLOW, Decision.DENY, Decision.ABSTAIN


@pytest.mark.parametrize(
    ("answers", "allowed"),
    [
        ([], False),
        ([N], False),
        ([A], True),
        ([N, A], True),
        ([A, D], False),
        ([D, A], False),
        ([A, RuntimeError("boom")], False),
        ([A, True], False),
        ([A, None], False),
    ],
)
async def test_decisions_combine(answers: list[Any], allowed: bool) -> None:
    async with registry((), [Voice(f"v{number}", answer) for number, answer in enumerate(answers)]) as plugins:
        if allowed:
            await plugins.authorise(ADA, "task:run", "shop")
        else:
            with pytest.raises(Forbidden, match="task:run"):
                await plugins.authorise(ADA, "task:run")


async def test_objects_close_in_reverse_whatever_one_does() -> None:
    diary: list[str] = []
    objects = [Fixed("a", None, diary), Fixed("b", "cannot close", diary), Fixed("c", None, diary)]
    async with registry(objects):
        assert diary == ["open a", "open b", "open c"]
        diary.clear()
    assert diary == ["close c", "close b", "close a"]


async def test_object_that_cannot_open_stops_the_start_and_closes_the_others() -> None:
    diary: list[str] = []
    with pytest.raises(PluginBroken, match=r"test \(test 1.0\).*opening b failed: OSError: no route to directory"):
        async with registry([Fixed("a", None, diary), Fixed("b", "cannot open", diary)]):
            pytest.fail("must not open")
    assert diary == ["open a", "open b", "close a"]


async def test_credentials_hide_their_secrets() -> None:
    assert "hunter2" not in f"{Bearer('hunter2')!r} {Password('ada', 'hunter2')!r}"


async def test_opens_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoIdentities:
        async def find_user(self, username: str) -> None:
            return None

        async def find_token(self, digest: str) -> None:
            return None

    async with PluginRegistry.open({}, NoIdentities()) as plugins:
        assert {"shell", "script", "http"} <= set(plugins.executors)
        assert [item.name for item in plugins.authenticators] == ["password", "token"]
        assert [item.name for item in plugins.authorisers] == ["default"]
        with pytest.raises(Unauthenticated):
            await plugins.authenticate(Bearer("plm_nobody"))


async def test_plugins_of_the_program_itself_stand_beside_the_installed_ones() -> None:
    own = {"shop": plugin_of(register_authenticators=lambda: [Fixed("shop", ADA)])}
    async with PluginRegistry.open({"enabled": []}, own=own) as registry:
        assert await registry.authenticate(Bearer("x")) == ADA
        assert registry.manager.origins["authenticators", "shop"] == "shop (this program)"


@pytest.mark.parametrize(
    ("name", "hook", "reason"),
    [
        ("shop", "register_executors", "for processes of their own: put it into a file of"),
        ("shop", "register_secret_providers", "for processes of their own: put it into a file of"),
        (
            "shell",
            "register_authenticators",
            r"shell \(plumber-fleet .*also used by shell \(this program\)",
        ),
    ],
)
async def test_a_plugin_of_the_program_that_could_not_work_is_refused(name: str, hook: str, reason: str) -> None:
    with pytest.raises(PluginBroken, match=reason):
        async with PluginRegistry.open({}, own={name: plugin_of(**{hook: lambda ctx: []})}):
            pass


class Slow(Fixed):
    """Takes for ever to open or to close, or to answer."""

    async def open(self) -> None:
        if self.answer == "opens":
            await asyncio.Event().wait()

    async def close(self) -> None:
        if self.answer == "closes":
            await asyncio.Event().wait()

    async def authenticate(self, credential: Credential) -> Principal | None:
        await asyncio.Event().wait()
        return None


async def test_an_object_that_hangs_is_named_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("OPENING", "CLOSING", "PATIENCE"):
        monkeypatch.setattr(registry_module, name, 0.05)

    def own(answer: str) -> dict[str, object]:
        return {"shop": plugin_of(register_authenticators=lambda: [Slow("slow", answer)])}

    with pytest.raises(PluginBroken, match=r"shop \(this program\).*opening slow has not ended within 0.05 s"):
        async with PluginRegistry.open({"enabled": []}, own=own("opens")):
            pass
    async with PluginRegistry.open({"enabled": []}, own=own("closes")) as registry:
        with pytest.raises(Unavailable, match="authenticator slow failed"):
            await registry.authenticate(Bearer("x"))
        trouble = registry.troubles.of("authenticators", "slow")
        assert trouble is not None and trouble.error.startswith("TimeoutError")
    assert "closing slow failed" in caplog.text


class Letters(EventSubscriber):
    name = "letters"
    kinds = "agent.created"  # type: ignore[assignment]

    async def handle(self, event: Event) -> None:
        return None


class Wrong(Fixed):
    accepts = frozenset({"bearer"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hook", "item", "reason"),
    [
        ("register_event_subscribers", Letters(), "Letters.kinds is 'agent.created'; expected None or a set"),
        ("register_authenticators", Wrong("wrong", None), "Wrong.accepts is .*; expected a set such as {Bearer}"),
    ],
)
async def test_an_object_that_says_wrongly_what_it_wants_is_refused(hook: str, item: object, reason: str) -> None:
    with pytest.raises(PluginBroken, match=reason):
        async with PluginRegistry.open({"enabled": []}, own={"shop": plugin_of(**{hook: lambda ctx: [item]})}):
            pass
