"""Virtual time: it never goes back, and whoever stands still in the middle of a call is not called again meanwhile."""

from __future__ import annotations

from plumber_core.testing.simulator.loop import Process, VirtualLoop


def test_time_does_not_go_back_when_a_call_has_let_it_pass_beyond_the_end() -> None:
    loop = VirtualLoop()
    seen: list[object] = []

    def stand_still() -> None:
        loop.run(5.0, lambda: False)
        seen.append(loop.time())

    loop.call_at(1.0, stand_still)
    loop.call_at(9.0, seen.append, "later")
    loop.run(2.0, lambda: False)
    assert (seen, loop.time()) == ([5.0], 5.0)
    loop.run(10.0, lambda: False)
    assert (seen, loop.time()) == ([5.0, "later"], 10.0)


def test_a_process_that_stands_still_inside_a_call_runs_nothing_else_even_when_it_is_thawed() -> None:
    loop = VirtualLoop()
    seen: list[object] = []
    process = Process(loop, "p")

    def stand_still() -> None:
        process.inside = True
        loop.run(5.0, lambda: False)
        process.inside = False
        seen.append("stood")
        process.thaw()

    process.call_soon(stand_still)
    loop.call_at(2.0, seen.append, "meant for it", context=process.context.copy())
    loop.call_at(3.0, process.thaw)
    loop.call_at(4.0, seen.append, "others go on")
    loop.run(6.0, lambda: False)
    assert seen == ["others go on", "stood", "meant for it"]
