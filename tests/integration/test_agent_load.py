"""How busy hosts are: stored with presence, together, and shown while the agent is heard."""

from __future__ import annotations

from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.engine.reap import sweep
from plumber_core.errors import Unavailable
from plumber_core.protocol.messages import Load
from support.scripted_agent import ScriptedAgent


async def shown(plumber: Plumber, name: str) -> tuple[float | None, float | None]:
    view = await plumber.agents.show(agent=name)
    return view.load, view.memory


async def tell(agent: ScriptedAgent, cpu: float, memory: float) -> None:
    await agent.beat(load=Load(cpu, memory))


async def test_it_is_stored_by_the_next_sweep_and_kept_until_it_changes(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await tell(agent, 0.75, 0.5)
    assert await shown(plumber, "a") == (None, None)
    await sweep(plumber._engine)
    assert await shown(plumber, "a") == (0.75, 0.5)
    await agent.beat()
    await sweep(plumber._engine)
    assert await shown(plumber, "a") == (0.75, 0.5)
    await tell(agent, 2.5, 1.0)
    await sweep(plumber._engine)
    assert await shown(plumber, "a") == (2.5, 1.0)


async def test_the_loads_of_all_agents_are_one_transaction_and_what_is_stored_is_not_stored_again(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = [await ScriptedAgent.create(plumber, f"a{number}") for number in range(5)]
    stored: list[dict[str, Any]] = []
    presence = plumber._engine.store.presence

    async def counted(server: str, heard: Any, interval: float, loads: dict[str, Any]) -> Any:
        stored.append(loads)
        return await presence(server, heard, interval, loads)

    monkeypatch.setattr(plumber._engine.store, "presence", counted)
    for number, agent in enumerate(agents):
        await tell(agent, number % 2, 0.5)
    assert stored == []
    await sweep(plumber._engine)
    await sweep(plumber._engine)
    assert [len(loads) for loads in stored] == [5, 0]
    assert [await shown(plumber, f"a{number}") for number in range(3)] == [(0.0, 0.5), (1.0, 0.5), (0.0, 0.5)]


async def test_it_is_kept_while_the_database_is_away(plumber: Plumber, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await tell(agent, 0.75, 0.5)

    async def away(*_: Any) -> None:
        raise Unavailable(reason="away")

    with monkeypatch.context() as patched:
        patched.setattr(plumber._engine.store, "presence", away)
        with pytest.raises(Unavailable):
            await sweep(plumber._engine)
    await sweep(plumber._engine)
    assert await shown(plumber, "a") == (0.75, 0.5)


@pytest.mark.parametrize(
    ("said", "kept"),
    [((-1.0, -1.0), (0.0, 0.0)), ((1e300, 7.0), (1000.0, 1.0)), ((float("nan"), float("inf")), (0.0, 0.0))],
)
async def test_what_an_agent_says_stays_within_reason(
    plumber: Plumber, said: tuple[float, float], kept: tuple[float, float]
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await tell(agent, *said)
    await sweep(plumber._engine)
    assert await shown(plumber, "a") == kept


async def test_an_agent_that_is_not_heard_shows_none(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await tell(agent, 0.75, 0.5)
    await sweep(plumber._engine)
    plumber._engine.connections.remove(plumber._engine.connections.all()[0])
    await plumber._engine.store.presence("server", {(await plumber.agents.show(agent="a")).id: 3600.0}, 5.0, {})
    assert await shown(plumber, "a") == (None, None)
