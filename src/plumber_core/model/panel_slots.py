"""Where in the web page plugins may show something."""

from __future__ import annotations

from typing import Literal, get_args

PanelSlot = Literal["home", "task", "execution", "agent"]
SLOTS: tuple[PanelSlot, ...] = get_args(PanelSlot)
