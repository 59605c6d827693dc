"""The two marks of the plugin system. Plugin authors need ``hookimpl`` only."""

from __future__ import annotations

import pluggy

PROJECT = "plumber"
"""Name of the marks and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Decorator for a function that implements a hook, named exactly as the hook."""
