"""The entry of ``plumber-server``: it loads a thousand modules, none of which ever becomes garbage.

The collector would look through all of them again and again while they load, a fifth of a start, and once more
whenever it looks at everything while calls are served. So it rests until the server listens, and passes over them then.
"""

from __future__ import annotations

import gc


def main() -> None:
    """Run the server until SIGTERM or SIGINT; exit code 1 and one line when it cannot start."""
    gc.disable()
    from plumber_server.main import main as serve

    serve()
