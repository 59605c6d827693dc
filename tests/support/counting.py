"""A command that prints numbered lines on both streams until it is told to end, and says on disk what it does."""

from __future__ import annotations

from pathlib import Path

from support.waiting import wait_until_sync

# It is started where nothing of an earlier run is left, so every line of "starts" is one start of the command.
COMMAND = """
echo $$ >> starts
n=0
while [ ! -e stop ]; do
    n=$((n + 1))
    echo "line $n"
    echo "error $n" >&2
    echo $n > now.tmp && mv now.tmp now
    sleep 0.005
done
echo $n > total
exit {code}
"""


class Counting:
    """The command in a folder of its own; ``stop`` lets it end."""

    def __init__(self, folder: Path, code: int = 0) -> None:
        folder.mkdir()
        self.folder = folder
        self.step = {"run": COMMAND.replace("{code}", str(code)), "path": str(folder)}

    def lines_so_far(self) -> int:
        """Return how many lines it has printed, whoever has read them."""
        now = self.folder / "now"
        return int(now.read_text()) if now.exists() else 0

    def wait_for_more(self, lines: int = 20) -> None:
        """Wait until it has printed so many more lines: it runs."""
        wanted = self.lines_so_far() + lines
        wait_until_sync(lambda: self.lines_so_far() >= wanted, what=f"line {wanted} of the command")

    def stop(self) -> None:
        (self.folder / "stop").touch()

    def wait_for_end(self) -> None:
        """Wait until it has printed everything."""
        wait_until_sync((self.folder / "total").exists, what="the command to end")

    def starts(self) -> list[str]:
        """Return the process id of each start."""
        return (self.folder / "starts").read_text().split()

    def expected(self, word: str) -> bytes:
        """Return all that it has printed: ``line`` on standard output, ``error`` on standard error."""
        total = int((self.folder / "total").read_text())
        return b"".join(f"{word} {n}\n".encode() for n in range(1, total + 1))
