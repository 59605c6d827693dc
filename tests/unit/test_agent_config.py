"""agent.json, addresses, the command line, and the unit file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from plumber_agent import enroll as enrolment
from plumber_agent.address import ServerAddress
from plumber_agent.config import parse_arguments
from plumber_agent.identity import AgentIdentity
from plumber_agent.main import MISCONFIGURED, main
from plumber_core.errors import StartupError
from plumber_core.model.views import AgentConfig


@pytest.mark.parametrize(
    ("text", "url", "socket"),
    [
        ("10.0.0.1:52281", "http://10.0.0.1:52281", "ws://10.0.0.1:52281/x"),
        ("http://plumber.example", "http://plumber.example:80", "ws://plumber.example:80/x"),
        ("https://plumber.example/ops/", "https://plumber.example:443/ops", "wss://plumber.example:443/ops/x"),
        ("https://plumber.example/api/rpc", "https://plumber.example:443", "wss://plumber.example:443/x"),
        ("http://[::1]:8080", "http://[::1]:8080", "ws://[::1]:8080/x"),
        (" localhost:1 ", "http://localhost:1", "ws://localhost:1/x"),
    ],
)
def test_addresses_as_people_write_them(text: str, url: str, socket: str) -> None:
    address = ServerAddress.parse(text)
    assert (str(address), address.url("/x", socket=True)) == (url, socket)


@pytest.mark.parametrize("text", ["", "ftp://x", "http://", "host:notaport", "host:0", "host:70000"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(StartupError):
        ServerAddress.parse(text)


def test_identity_round_trip_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "agent.json"
    identity = AgentIdentity("agent-1", "plm_agent_x", "host:1")
    identity.write(path)
    assert AgentIdentity.read(path) == identity
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"id": "a", "token": "t"}',
        '{"id": "../up", "token": "t", "server_addr": "x"}',
        '{"id": "a/b", "token": "t", "server_addr": "x"}',
        '{"id": "a", "token": "t\\r\\nX: y", "server_addr": "x"}',
        '{"id": 5, "token": "t", "server_addr": "x"}',
    ],
)
def test_what_is_no_identity(tmp_path: Path, content: str) -> None:
    path = tmp_path / "agent.json"
    path.write_text(content)
    with pytest.raises(StartupError):
        AgentIdentity.read(path)


def test_state_is_kept_by_user_and_agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    identity = AgentIdentity("agent-1", "t", "host:1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert identity.state_dir() == tmp_path / "plumber" / "agents" / "agent-1"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert identity.state_dir() == Path("/var/lib/plumber/agents/agent-1")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert identity.state_dir() == tmp_path / ".local" / "state" / "plumber" / "agents" / "agent-1"


def test_options_and_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBER_AGENT_SLOTS", "3")
    monkeypatch.setenv("PLUMBER_AGENT_LABELS", "zone=b, rack=7")
    monkeypatch.setenv("PLUMBER_AGENT_STATE_DIR", "/var/x")
    options = parse_arguments(["--config", "c.json", "--label", "role=web=1"])
    assert (options.slots, options.state_dir, options.config) == (3, Path("/var/x"), Path("c.json"))
    assert dict(options.label) == {"zone": "b", "rack": "7", "role": "web=1"}


@pytest.mark.parametrize("arguments", [["--slots", "0"], ["--slots", "x"], ["--label", "novalue"], ["--nonsense"]])
def test_wrong_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(arguments)
    assert ended.value.code == 2
    assert "usage: plumber-agent" in capsys.readouterr().err


def test_missing_file_says_so_and_never_shows_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(tmp_path / "no.json")]) == MISCONFIGURED
    error = capsys.readouterr().err
    assert error.startswith("plumber-agent: Cannot start:")
    assert error.count("\n") == 1


class FakeClient:
    """Stands in for ``plumber_client.Client``."""

    asked: list[dict[str, Any]]

    def __init__(self, url: str) -> None:
        self.agents = self
        self.url = url

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_: object) -> None: ...

    def redeem(self, **arguments: Any) -> AgentConfig:
        type(self).asked.append(arguments)
        return AgentConfig(id="agent-9", token="plm_agent_new", server_addr=arguments["server_addr"])


@pytest.fixture
def redeemed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    import plumber_client

    FakeClient.asked = []
    monkeypatch.setattr(plumber_client, "Client", FakeClient)
    return FakeClient.asked


def test_enrolment_writes_the_file_and_shows_no_token(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    redeemed: list[dict[str, Any]],
) -> None:
    config = tmp_path / "agent.json"
    monkeypatch.setenv("PLUMBER_ENROLL_TOKEN", "plm_enroll_once\n")
    arguments = ["--enroll", "http://127.0.0.1:52281/", "--name", "web-1", "--config", str(config)]
    assert main(arguments) == 0
    assert redeemed == [{"token": "plm_enroll_once", "name": "web-1", "server_addr": "http://127.0.0.1:52281"}]
    assert json.loads(config.read_text())["id"] == "agent-9"
    shown = "".join(capsys.readouterr())
    assert "agent-9" in shown and str(config) in shown
    assert "plm_" not in shown
    # A second time nothing is redeemed and nothing overwritten.
    assert main(arguments) == MISCONFIGURED
    assert len(redeemed) == 1


def test_enrolment_reads_the_token_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redeemed: list[dict[str, Any]]
) -> None:
    monkeypatch.delenv("PLUMBER_ENROLL_TOKEN", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO("from-stdin\n"))
    enrolment.enroll("127.0.0.1:1", "n", tmp_path / "agent.json", "PLUMBER_ENROLL_TOKEN")
    assert redeemed[0]["token"] == "from-stdin"
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(StartupError, match="token is missing"):
        enrolment.enroll("127.0.0.1:1", "n", tmp_path / "other.json", "PLUMBER_ENROLL_TOKEN")


def test_how_long_to_drain_is_seconds() -> None:
    assert parse_arguments(["--drain", "90"]).drain == 90
    assert parse_arguments([]).drain == 0
    for wrong in ("-1", "soon", "1e9"):
        with pytest.raises(SystemExit):
            parse_arguments(["--drain", wrong])
