"""Another build of the page, as a newer release brings it: the same page, every file under another name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import plumber_web


def other_build(folder: Path) -> str:
    """Write the package of the page anew below ``folder``; a server with this as PYTHONPATH serves it."""
    package = folder / "plumber_web"
    built = Path(plumber_web.__file__).parent
    package.mkdir(parents=True)
    shutil.copy(built / "__init__.py", package)
    shutil.copytree(built / "dist", package / "dist")
    files = [package / "dist" / "index.html", *(package / "dist" / "assets").iterdir()]
    names = {path.name: f"{path.stem}-newer{path.suffix}" for path in files[1:]}
    known = re.compile(b"|".join(re.escape(name.encode()) for name in sorted(names, key=len, reverse=True)))
    for path in files:
        text = known.sub(lambda match: names[match[0].decode()].encode(), path.read_bytes())
        path.unlink()
        path.with_name(names.get(path.name, path.name)).write_bytes(text)
    return str(folder)
