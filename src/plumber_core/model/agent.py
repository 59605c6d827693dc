"""An agent as planning sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from plumber_core.model.states import AgentState

ALIASES = {"cpu": "cpus"}
"""Facts that people look for under another name."""


@dataclass(frozen=True, slots=True)
class AgentRef:
    """``labels`` are those set by people; ``facts`` what the agent says of itself (os, arch, hostname, ...)."""

    id: str
    name: str
    state: AgentState = AgentState.ACTIVE
    labels: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    def label(self, key: str) -> str | None:
        """Return a label, else a fact, else None; ``name`` and ``id`` are always there."""
        if key in ("name", "id"):
            return self.name if key == "name" else self.id
        return self.labels.get(key, self.facts.get(ALIASES.get(key, key)))
