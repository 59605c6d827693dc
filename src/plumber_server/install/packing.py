"""Wheels made again from what is installed here, so that a target needs no package index.

An agent gets the very code that its server runs. The same files always give the same wheel, byte by byte.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from plumber_core.version import __version__

NEEDS = ("httpx", "pluggy", "pydantic", "websockets")
"""What an agent runs with: the link, long poll, and the executors written in Python."""
PURE_TOO = ("websockets",)
"""Packages whose compiled part is a convenience: other machines get them without it."""
OURS = "plumber-fleet"
PACKAGES = ("plumber_agent", "plumber_client", "plumber_core")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_OF_AN_INSTALLATION = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
_COMPILED = (".so", ".pyd", ".dylib")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel, by its file name."""

    name: str
    data: bytes


def pack_all() -> Iterator[Wheel]:
    """Yield the agent's wheel and one for each package that it needs, as far as they can be packed.

    Raises:
        PackageNotFoundError: Plumber is not installed as a package here.
    """
    yield pack_agent()
    for name in closure(NEEDS):
        installed = distribution(name)
        if not installed.files:
            continue  # Installed by something that keeps no list of files, such as a system's own packages.
        yield pack(installed)
        if name in PURE_TOO and not _is_pure(installed):
            yield pack(installed, pure=True)


def closure(names: tuple[str, ...]) -> list[str]:
    """Return the installed packages that these need, themselves first.

    Markers other than ``extra`` are taken as true: a target may have another Python.
    """
    found: list[str] = []
    waiting = list(names)
    while waiting:
        name = _normal(waiting.pop(0))
        if name in found or (requirements := _requirements(name)) is None:
            continue
        found.append(name)
        waiting += [_name_of(text) for text in requirements if "extra ==" not in text]
    return found


def pack(installed: Distribution, *, pure: bool = False) -> Wheel:
    """Return an installed package as a wheel; ``pure`` leaves its compiled files out."""
    files = dict(_installed_files(installed))
    folder = next(path.split("/")[0] for path in files if ".dist-info/" in path)
    tags = ["py3-none-any"] if pure else _tags(installed)
    if pure:
        files = {path: data for path, data in files.items() if not path.endswith(_COMPILED)}
        files[f"{folder}/WHEEL"] = wheel_file(tags)
    parts = zip(*(tag.split("-") for tag in tags), strict=True)
    tag = "-".join(".".join(sorted(set(part))) for part in parts)
    return Wheel(f"{folder.removesuffix('.dist-info')}-{tag}.whl", archive(folder, files))


def pack_agent() -> Wheel:
    """Return the agent's own wheel: Plumber without server and page, with the dependencies of an agent.

    Its version ends in a digest of its content, so that installing it again changes nothing, and any change installs.
    """
    installed = distribution(OURS)
    files = dict(_own_files())
    digest = hashlib.sha256(repr([(path, hashlib.sha256(files[path]).digest()) for path in sorted(files)]).encode())
    version = f"{__version__}+agent.{digest.hexdigest()[:12]}"
    folder = f"{OURS.replace('-', '_')}-{version}.dist-info"
    files |= {f"{folder}/{name}": data for name, data in _own_metadata(installed, version).items()}
    return Wheel(f"{folder.removesuffix('.dist-info')}-py3-none-any.whl", archive(folder, files))


def archive(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Return a wheel's bytes; its RECORD is written here."""
    record = [f"{path},sha256={_urlsafe(data)},{len(data)}\n" for path, data in sorted(files.items())]
    files = {**files, f"{folder}/RECORD": "".join([*record, f"{folder}/RECORD,,\n"]).encode()}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in sorted(files.items(), key=lambda item: (item[0].startswith(folder), item[0])):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = 0o644 << 16
            wheel.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def wheel_file(tags: list[str]) -> bytes:
    """Return the content of a WHEEL file."""
    head = f"Wheel-Version: 1.0\nGenerator: plumber {__version__}\nRoot-Is-Purelib: true\n"
    return (head + "".join(f"Tag: {tag}\n" for tag in tags)).encode()


def _own_files() -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        root = Path(__file__).parents[2] / package
        for path in root.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(root.parent).as_posix(), path.read_bytes()


def _own_metadata(installed: Distribution, version: str) -> dict[str, bytes]:
    needs = sorted({text.partition(";")[0].strip() for text in installed.requires or () if _name_of(text) in NEEDS})
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {OURS}",
        f"Version: {version}",
        "Summary: Plumber's agent, as packed by a server.",
        "Requires-Python: >=3.11",
        *(f"Requires-Dist: {text}" for text in needs),
    ]
    plugins = [f"{entry.name} = {entry.value}" for entry in installed.entry_points if entry.group == "plumber"]
    entries = ["[console_scripts]", "plumber-agent = plumber_agent.main:main", "", "[plumber]", *sorted(plugins)]
    licences = {
        path.split("/", 1)[1]: data for path, data in _installed_files(installed) if ".dist-info/licenses/" in path
    }
    return {
        **licences,
        "METADATA": "\n".join([*metadata, ""]).encode(),
        "WHEEL": wheel_file(["py3-none-any"]),
        "entry_points.txt": "\n".join([*entries, ""]).encode(),
    }


def _installed_files(installed: Distribution) -> Iterator[tuple[str, bytes]]:
    for path in installed.files or ():
        inside = PurePosixPath(path)
        made_here = ".dist-info" in inside.parts[0] and inside.name in _OF_AN_INSTALLATION
        if inside.is_absolute() or ".." in inside.parts or "__pycache__" in inside.parts or made_here:
            continue  # Programs in bin, compiled bytecode and notes of the installer come anew with each installation.
        if (place := Path(str(path.locate()))).is_file():
            yield str(inside), place.read_bytes()


def _tags(installed: Distribution) -> list[str]:
    return re.findall(r"^Tag: *(\S+)", installed.read_text("WHEEL") or "", re.MULTILINE) or ["py3-none-any"]


def _is_pure(installed: Distribution) -> bool:
    return all(tag.endswith("-none-any") for tag in _tags(installed))


def _requirements(name: str) -> list[str] | None:
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return None


def _name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return _normal(match[0]) if match else ""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
