"""``Command``: a step that is nothing but one process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """What to start: ``argv``, then the path of a file holding ``script`` if there is one, then
    ``arguments``. ``stdin`` is what it finds on its standard input; None leaves it what the step gives.

    With ``restarts_host`` it is started only where the end of its attempt is another boot of the machine.

    Whoever starts the command writes the script to a private file that lives as long as the attempt.
    """

    argv: tuple[str, ...]
    script: str | None = None
    arguments: tuple[str, ...] = ()
    stdin: str | None = None
    restarts_host: bool = False

    def resolve(self, script_path: str | None = None) -> Sequence[str]:
        """Return the whole argument vector.

        Raises:
            ValueError: nothing to start, or a script that nobody wrote to a file.
        """
        if self.script is not None and script_path is None:
            raise ValueError("the script needs a file")
        middle = () if self.script is None or script_path is None else (script_path,)
        if not (whole := (*self.argv, *middle, *self.arguments)):
            raise ValueError("a command needs at least one word")
        return whole
