"""Plugins as installed packages: a folder with a module and its metadata, to be put on ``PYTHONPATH``."""

from __future__ import annotations

from pathlib import Path


def install_plugin(folder: Path, name: str, source: str, *, module: str = "", version: str = "1.0") -> None:
    """Write a distribution ``dist-NAME`` whose entry point NAME is a module with this source."""
    module = module or f"plugin_{name.replace('-', '_')}"
    (folder / f"{module}.py").write_text(source)
    metadata = folder / f"dist_{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(f"[plumber]\n{name} = {module}\n")
