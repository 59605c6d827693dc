"""What an agent tells of its host's load: coarsely, now and then, and only news."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from plumber_core.protocol.codec import from_json, to_json
from plumber_core.protocol.messages import Load, Renew
from plumber_core.runner import facts
from plumber_core.runner.facts import measure_load
from plumber_core.runner.load import EVERY, LoadGauge
from support.linked import linked
from support.scripted_server import ScriptedServer
from support.waiting import wait_until

MEMINFO = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    %d kB\n"


@pytest.mark.parametrize(
    ("average", "cpus", "available", "told"),
    [(0.0, 4, 1000, (0.0, 0.0)), (2.04, 4, 749, (0.5, 0.25)), (9.0, 4, 0, (2.25, 1.0)), (0.05, 4, 980, (0.0, 0.0))],
)
def test_it_is_measured_for_each_cpu_and_in_steps(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    average: float,
    cpus: int,
    available: int,
    told: tuple[float, float],
) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO % available)
    monkeypatch.setattr(facts, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr("os.getloadavg", lambda: (average, 0.0, 0.0))
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    assert measure_load() == Load(*told)


def test_a_host_that_does_not_tell_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(facts, "_MEMORY", tmp_path / "missing")
    assert measure_load() is None
    (tmp_path / "missing").write_text("MemTotal: 0 kB\nMemAvailable: 0 kB\n")
    assert measure_load() is None


def test_this_machine_tells() -> None:
    found = measure_load()
    assert found is not None and found.cpu >= 0 and 0 < found.memory <= 1


def test_a_gauge_measures_now_and_then_and_tells_news_until_it_was_heard() -> None:
    now, measured = [100.0], iter([Load(0.1, 0.5), Load(0.1, 0.5), Load(0.2, 0.5)])
    gauge = LoadGauge(lambda: next(measured), lambda: now[0])
    assert gauge.news() == gauge.news() == Load(0.1, 0.5)
    gauge.told(Load(0.1, 0.5))
    assert gauge.news() is None
    now[0] += EVERY
    assert gauge.news() is None
    now[0] += EVERY
    assert gauge.news() == Load(0.2, 0.5)


def test_it_travels_in_a_renewal_and_an_older_server_reads_past_it() -> None:
    renew = Renew("s", 2, 1, load=Load(0.25, 0.5))
    assert from_json(Renew, to_json(renew)) == renew
    assert "load" not in to_json(Renew("s", 2, 1))
    assert from_json(Renew, {**to_json(Renew("s", 2, 1)), "weather": "fine"}) == Renew("s", 2, 1)


async def test_each_session_tells_it_once(tmp_path: Path) -> None:
    server = ScriptedServer(heartbeat=0.01)

    def loads() -> Iterator[tuple[str, Load]]:
        yield from ((renew.session, renew.load) for renew in server.of(Renew) if renew.load is not None)

    async with linked(tmp_path, server, load=lambda: Load(0.5, 0.5)) as link:
        await link.ready()
        first = server.peer.session
        await wait_until(lambda: max(renew.beat for renew in server.of(Renew)) >= 5)
        assert list(loads()) == [(first, Load(0.5, 0.5))]
        server.peer.break_off()
        await link.ready(2)
        assert list(loads()) == [(first, Load(0.5, 0.5)), (server.peer.session, Load(0.5, 0.5))]
