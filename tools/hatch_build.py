"""Hatch's build hook: whoever builds a package from a checkout gets the page in it.

An editable install needs no page, and a source archive holds the built one already: both build without Node.js.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageBuildHook(BuildHookInterface[Any]):
    """Builds ``src/plumber_web/dist`` before it is packed, unless ``PLUMBER_SKIP_WEB`` is set."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Do it; raises RuntimeError when it fails."""
        root = Path(self.root)
        from_archive = (root / "PKG-INFO").exists()
        if version == "editable" or from_archive or os.environ.get("PLUMBER_SKIP_WEB"):
            return
        if subprocess.run(["sh", "tools/web.sh", "build"], cwd=root, check=False).returncode:
            raise RuntimeError(
                "The web page could not be built: see above. PLUMBER_SKIP_WEB=1 makes a package without it."
            )
