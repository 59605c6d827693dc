"""What a plugin is told when its hooks are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from plumber_core.errors import StartupError
from plumber_core.plugins.contracts.identity import IdentityStore
from plumber_core.version import __version__

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound="BaseModel")


@dataclass(frozen=True, slots=True)
class PluginContext:
    """One plugin's view of the installation.

    ``version`` is Plumber's, ``table`` the plugin's ``[plugins.<name>]`` as read.
    """

    plugin: str
    table: Mapping[str, Any] = field(default_factory=dict)
    identity_store: IdentityStore | None = None
    version: str = __version__

    def settings(self, model: type[Model]) -> Model:
        """Return the plugin's settings as ``model``; keys that it does not know are refused.

        Raises:
            StartupError: they do not fit; names each key.
        """
        from pydantic import ValidationError

        try:
            return model.model_validate(dict(self.table), extra="forbid")
        except ValidationError as error:
            raise StartupError(reason=_reasons(self.plugin, error)) from None

    @property
    def identities(self) -> IdentityStore:
        """The users and tokens of the installation; only the control plane has them.

        Raises:
            StartupError: this process has none.
        """
        if self.identity_store is None:
            raise StartupError(reason=f"plugin {self.plugin} needs users and tokens, and this process has none")
        return self.identity_store


def _reasons(plugin: str, error: ValidationError) -> str:
    """Name keys and what is wrong with them, never the values: settings hold passwords."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"[plugins.{plugin}] {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
