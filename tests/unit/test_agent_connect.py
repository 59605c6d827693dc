"""How an agent chooses between a WebSocket and long poll."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from plumber_agent import connect as module
from plumber_agent.address import ServerAddress
from plumber_agent.connect import POLL_FOR, AnyServer, Connector, needs_proxy
from plumber_agent.held_socket import UpgradeRefused
from plumber_agent.poll_peer import PollPeer
from plumber_core.errors import StartupError
from plumber_core.protocol.peer import Disconnected

ADDRESS = ServerAddress.parse("http://plumber.example:8080")


class Clock:
    """A clock that stands."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Outcomes of the next WebSocket connections, last first; none left means refused."""
    outcomes: list[Any] = []

    async def connect(*_: Any) -> Any:
        outcome = outcomes.pop() if outcomes else UpgradeRefused("HTTP 404")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(module.WsPeer, "connect", connect)
    return outcomes


async def test_two_refused_upgrades_in_a_row_switch_to_long_poll_for_a_while(sockets: list[Any]) -> None:
    clock = Clock()
    connector = Connector(ADDRESS, "t", environment={}, clock=clock)
    with pytest.raises(UpgradeRefused):
        await connector()
    for _ in range(2):
        peer = await connector()
        assert isinstance(peer, PollPeer)
        await peer.close()
    clock.now += POLL_FOR + 1
    sockets.append("socket")
    assert await connector() == "socket"


async def test_refused_again_after_a_while_polls_at_once(sockets: list[Any]) -> None:
    clock = Clock()
    connector = Connector(ADDRESS, "t", environment={}, clock=clock)
    with pytest.raises(UpgradeRefused):
        await connector()
    await (await connector()).close()
    clock.now += POLL_FOR + 1
    peer = await connector()
    assert isinstance(peer, PollPeer)
    await peer.close()


async def test_a_success_between_refusals_counts(sockets: list[Any]) -> None:
    sockets += [UpgradeRefused("HTTP 502"), "socket", UpgradeRefused("HTTP 502")]
    connector = Connector(ADDRESS, "t", environment={})
    with pytest.raises(UpgradeRefused):
        await connector()
    assert await connector() == "socket"
    with pytest.raises(UpgradeRefused):
        await connector()


async def test_an_unreachable_server_is_no_reason_to_poll(sockets: list[Any]) -> None:
    sockets += [Disconnected("away")] * 5
    connector = Connector(ADDRESS, "t", environment={})
    for _ in range(5):
        with pytest.raises(Disconnected):
            await connector()


@pytest.mark.parametrize(
    ("address", "environment", "expected"),
    [
        ("http://far.example", {}, False),
        ("http://far.example", {"http_proxy": "http://p:1"}, True),
        ("http://far.example", {"https_proxy": "http://p:1"}, False),
        ("https://far.example", {"HTTPS_PROXY": "http://p:1"}, True),
        ("https://far.example", {"ALL_PROXY": "http://p:1", "NO_PROXY": ".example"}, False),
        ("https://far.example", {"all_proxy": "http://p:1", "no_proxy": "ample"}, True),
        ("https://far.example", {"all_proxy": "http://p:1", "no_proxy": "*"}, False),
        ("http://127.0.0.1:1", {"http_proxy": "http://p:1"}, False),
        ("http://localhost", {"http_proxy": "http://p:1"}, False),
    ],
)
def test_proxies_from_the_environment(address: str, environment: dict[str, str], expected: bool) -> None:
    assert needs_proxy(ServerAddress.parse(address), environment) is expected


async def test_of_several_servers_each_new_connection_goes_to_the_next(sockets: list[Any]) -> None:
    addresses = ServerAddress.parse_all("http://a.example:8080, b.example:8081")
    assert [str(address) for address in addresses] == ["http://a.example:8080", "http://b.example:8081"]
    asked: list[str] = []

    def connector(name: str) -> Callable[[], Awaitable[Any]]:
        async def connect() -> Any:
            asked.append(name)
            if name == "a":
                raise Disconnected("away")
            return name

        return connect

    servers = AnyServer([connector("a"), connector("b")])
    with pytest.raises(Disconnected):
        await servers()
    assert (await servers(), asked) == ("b", ["a", "b"])
    with pytest.raises(StartupError):
        ServerAddress.parse_all("http://a.example, nonsense://b")
