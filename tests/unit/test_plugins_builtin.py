"""The built-in plugins pass the conformance classes that third parties use, and a few tests of their own."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import plumber_core
from plumber_core import (
    Authenticator,
    Authoriser,
    Bearer,
    Credential,
    EventSubscriber,
    Executor,
    InvalidRequest,
    MissingExtra,
    Password,
    Principal,
    SecretProvider,
    SecretRef,
    TokenRecord,
    UserRecord,
)
from plumber_core.builtin import passwords
from plumber_core.builtin.default_authoriser import DefaultAuthoriser
from plumber_core.builtin.event_log import EventLog
from plumber_core.builtin.file_secrets import FileSecrets
from plumber_core.builtin.password import PasswordAuthenticator
from plumber_core.builtin.reboot import Reboot
from plumber_core.builtin.script import Script
from plumber_core.builtin.shell import Shell
from plumber_core.builtin.token import TokenAuthenticator
from plumber_core.plugins.params import load_params
from plumber_core.testing.conformance import (
    AuthenticatorConformance,
    AuthoriserConformance,
    EventSubscriberConformance,
    ExecutorConformance,
    PluginConformance,
    SecretProviderConformance,
)
from plumber_core.testing.conformance.authoriser import EVERYBODY, Question
from plumber_core.testing.conformance.event_subscriber import event
from plumber_core.testing.steps import run_step

BUILT_IN = importlib.metadata.distribution("plumber-fleet").entry_points.select(group="plumber").names
GOOD = "correct horse battery"
# Hashing costs 0.2 s by design: once is enough for all tests.
HASH = asyncio.run(passwords.hash_password(GOOD))


class Identities:
    """Two users, of whom one has no password here, and two tokens."""

    async def find_user(self, username: str) -> UserRecord | None:
        users = {"ada": UserRecord("u1", "ada", HASH), "eve": UserRecord("u2", "eve", None)}
        return users.get(username)

    async def find_token(self, digest: str) -> TokenRecord | None:
        tokens = {
            hashlib.sha256(b"plm_s").hexdigest(): TokenRecord("s1", "session", "", "u1", "ada"),
            hashlib.sha256(b"plm_t").hexdigest(): TokenRecord("t1", "api", "ci", "u1", "ada"),
        }
        return tokens.get(digest)


class TestEachOfThem(PluginConformance):
    @pytest.fixture(params=sorted(BUILT_IN))
    def plugin(self, request: pytest.FixtureRequest) -> object:
        [point] = importlib.metadata.entry_points(group="plumber", name=request.param)
        return point.load()


class TestShell(ExecutorConformance):
    @pytest.fixture
    def executor(self) -> Executor[Any]:
        return Shell()

    @pytest.fixture
    def valid_params(self) -> dict[str, Any]:
        return {"run": "echo hello"}

    @pytest.fixture
    def slow_params(self) -> dict[str, Any]:
        return {"run": "sleep 600"}


class TestScript(ExecutorConformance):
    @pytest.fixture
    def executor(self) -> Executor[Any]:
        return Script()

    @pytest.fixture
    def valid_params(self) -> dict[str, Any]:
        return {"script": "echo hello", "args": ["a b"]}

    @pytest.fixture
    def slow_params(self) -> dict[str, Any]:
        return {"script": "sleep 600"}


class TestReboot(ExecutorConformance):
    expected_exit_code = 1

    @pytest.fixture
    def executor(self) -> Executor[Any]:
        return Reboot("false")

    @pytest.fixture
    def valid_params(self) -> dict[str, Any]:
        return {"command": "false --now", "timeout": 60}


class TestPassword(AuthenticatorConformance):
    @pytest.fixture
    def authenticator(self) -> Authenticator:
        return PasswordAuthenticator(Identities())

    @pytest.fixture
    def good_credential(self) -> Credential:
        return Password("ada", GOOD)

    @pytest.fixture(params=[("ada", "wrong horse"), ("nobody", GOOD), ("eve", GOOD), ("", "")])
    def bad_credential(self, request: pytest.FixtureRequest) -> Credential:
        return Password(*request.param)


class TestToken(AuthenticatorConformance):
    @pytest.fixture
    def authenticator(self) -> Authenticator:
        return TokenAuthenticator(Identities())

    @pytest.fixture(params=["plm_s", "plm_t"])
    def good_credential(self, request: pytest.FixtureRequest) -> Credential:
        return Bearer(request.param)

    @pytest.fixture(params=["plm_x", "", "\udcff", "plm_s "])
    def bad_credential(self, request: pytest.FixtureRequest) -> Credential:
        return Bearer(request.param)


class TestDefaultAuthoriser(AuthoriserConformance):
    @pytest.fixture
    def authoriser(self) -> Authoriser:
        return DefaultAuthoriser()

    @pytest.fixture
    def allowed(self) -> list[Question]:
        return [(principal, "task:run", "shop") for principal in EVERYBODY if principal.kind != "agent"]

    @pytest.fixture
    def refused(self) -> list[Question]:
        return [(principal, "task:run", "shop") for principal in EVERYBODY if principal.kind == "agent"]


class TestFileSecrets(SecretProviderConformance):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> SecretProvider:
        (tmp_path / "db").write_text("hunter2\n")
        return FileSecrets(tmp_path)

    @pytest.fixture
    def known(self) -> tuple[SecretRef, str]:
        return SecretRef("file", "db"), "hunter2"

    @pytest.fixture
    def unknown(self) -> SecretRef:
        return SecretRef("file", "nothing")


class TestEventLog(EventSubscriberConformance):
    @pytest.fixture
    def subscriber(self, tmp_path: Path) -> EventSubscriber:
        return EventLog(tmp_path / "events.jsonl")


async def test_event_log_writes_a_line_for_each_event(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    for number in range(3):
        await log.handle(event(str(number), text="a\nb"))
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["0", "1", "2"]


async def test_file_secret_may_be_a_value_of_a_json_object(tmp_path: Path) -> None:
    (tmp_path / "db").write_text('{"user": "ada", "password": "hunter2"}')
    secret = await FileSecrets(tmp_path).fetch(SecretRef.parse("file:db#password"))
    assert secret.get_secret_value() == "hunter2"


async def test_tokens_are_their_user_or_themselves() -> None:
    token = TokenAuthenticator(Identities())
    assert await token.authenticate(Bearer("plm_s")) == Principal(kind="user", id="u1", name="ada")
    assert await token.authenticate(Bearer("plm_t")) == Principal(kind="token", id="t1", name="ci")


async def test_password_hash_is_argon2id_of_the_documented_strength() -> None:
    assert HASH.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert passwords.NOBODY.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert not passwords.needs_rehash(HASH)
    assert not passwords.needs_rehash(passwords.NOBODY)
    assert await passwords.verify_password(HASH, GOOD)
    assert not await passwords.verify_password(HASH, GOOD + " ")
    assert not await passwords.verify_password("no hash", GOOD)


def test_unknown_user_costs_the_same_hashing_as_a_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = passwords._hasher()

    class Spy:
        def verify(self, stored: str, password: bytes) -> bool:
            hashed.append(stored)
            return real.verify(stored, password)

    monkeypatch.setattr(passwords, "_hasher", Spy)
    assert not passwords._verify(HASH, "wrong")
    assert not passwords._verify(None, "wrong")
    parameters = [stored.rsplit("$", 2)[0] for stored in hashed]
    assert hashed == [HASH, passwords.NOBODY] and parameters[0] == parameters[1]


async def test_long_passwords_are_refused_and_never_right() -> None:
    limit = "x" * passwords.MAX_BYTES
    with pytest.raises(InvalidRequest, match="longer than 1024 bytes"):
        await passwords.hash_password(limit + "x")
    stored = await passwords.hash_password(limit)
    assert await passwords.verify_password(stored, limit)
    assert not await passwords.verify_password(stored, limit + "x")


async def test_hashing_does_not_block_the_event_loop() -> None:
    hashing = asyncio.ensure_future(passwords.verify_password(HASH, "wrong"))
    turns = 0
    while not hashing.done():
        await asyncio.wait({hashing}, timeout=0)
        turns += 1
    assert turns > 100


async def test_missing_argon2_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "argon2", None)
    passwords._hasher.cache_clear()
    with pytest.raises(MissingExtra, match=r"plumber-fleet\[server\]"):
        await passwords.verify_password(HASH, GOOD)


@pytest.mark.parametrize(
    ("shell", "argv"),
    [
        (None, ("/bin/sh", "-e", "-c", "a; b")),
        ("bash -euo pipefail", ("bash", "-euo", "pipefail", "-c", "a; b")),
        ("python3", ("python3", "-c", "a; b")),
    ],
)
def test_shell_command(shell: str | None, argv: tuple[str, ...]) -> None:
    values = {"run": "a; b"} | ({"shell": shell} if shell else {})
    assert Shell().command(load_params(Shell(), values)).resolve() == argv


def test_shell_that_is_no_command_line_is_refused() -> None:
    for shell in ("'unclosed", "   "):
        with pytest.raises(InvalidRequest, match="shell"):
            load_params(Shell(), {"run": "true", "shell": shell})


@pytest.mark.parametrize(
    ("script", "interpreter", "argv"),
    [
        ("echo", None, ("/bin/sh", "-e")),
        ("#!/usr/bin/env python3\nx", None, ("/usr/bin/env", "python3")),
        ("#!/usr/bin/env -S awk -f\nx", None, ("/usr/bin/env", "-S awk -f")),
        ("#! /bin/bash -eu \r\nx", None, ("/bin/bash", "-eu")),
        ("#!/bin/sh\nx", "bash -x", ("bash", "-x")),
        ("#!", None, ("/bin/sh", "-e")),
    ],
)
def test_script_interpreter(script: str, interpreter: str | None, argv: tuple[str, ...]) -> None:
    values = {"script": script} | ({"interpreter": interpreter} if interpreter else {})
    assert Script().command(load_params(Script(), values)).argv == argv


async def test_script_arguments_arrive_whatever_they_contain() -> None:
    script = "#!/usr/bin/env python3\nimport sys, json\nprint(json.dumps(sys.argv[1:]))"
    args = ["a b", "$HOME", "'", '"', "", "ä\n"]
    run = await run_step(Script(), {"script": script, "args": args})
    assert json.loads(run.stdout) == args


def test_built_ins_use_public_names_only() -> None:
    folder = Path(passwords.__file__).parent
    clients = folder.parents[1] / "plumber_client" / "plugins"
    for path in [*folder.glob("*.py"), *clients.glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("plumber"):
                continue
            if node.module == "plumber_core":
                assert {alias.name for alias in node.names} <= set(plumber_core.__all__), path
            else:
                assert node.module.startswith(("plumber_core.builtin", "plumber_client.plugins")), (
                    f"{path}: {node.module}"
                )  # type: ignore[union-attr]
