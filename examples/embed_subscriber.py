"""Hears what happens, and goes on where it stood after a restart. Run it: python examples/embed_subscriber.py NAME"""

import asyncio
import sys

from plumber_core import Event, EventSubscriber, Plumber, hookimpl


class Audit(EventSubscriber):
    """Notes who was created. It is asked again until it has taken an event, and never misses one."""

    name = "audit"
    kinds = frozenset({"agent.created"})

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    async def handle(self, event: Event) -> None:
        await self.heard.put(event.data["name"])


class OwnPlugin:
    def __init__(self, audit: Audit) -> None:
        self.audit = audit

    @hookimpl
    def register_event_subscribers(self) -> list[EventSubscriber]:
        return [self.audit]


async def main(names: list[str]) -> None:
    audit = Audit()
    own = {"audit": OwnPlugin(audit)} if names[:1] != ["--deaf"] else {}
    async with Plumber("sqlite:///audited.db", local_agent=False, own_plugins=own) as plumber:
        for name in names[not own :]:
            await plumber.agents.create(name=name)
        while own and (name := await audit.heard.get()):
            print(name, flush=True)
            if name == names[-1]:
                break


asyncio.run(main(sys.argv[1:]))
