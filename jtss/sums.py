"""SHA-256 sums of a folder, in the format of `sha256sum`, and what they say is wrong with it."""

import hashlib
import os
from pathlib import Path

NAME = "SHA256SUMS"


def write(folder: Path) -> None:
    """Write the sums of every file in `folder`, and wait until all is on the disk, so that no power cut takes it."""
    (folder / NAME).write_text(_text(_sums(folder)))
    for path in (*folder.rglob("*"), folder):
        if (
            path.is_dir() or path.parent.name != "d"
        ):  # Orbax flushes its arrays, in folders d/, but not what leads there
            flush(path)


def fault(folder: Path) -> str | None:
    """What is wrong with `folder`: files that are missing, changed or not in its sums; None where nothing is."""
    try:
        written = (folder / NAME).read_text()
        found = _sums(folder)
    except FileNotFoundError:
        return f"{NAME} is missing"
    except (OSError, UnicodeDecodeError) as error:
        return f"cannot be read ({error})"
    if written == _text(found):
        return None
    expected = _parsed(written)
    faults = {
        "missing": expected.keys() - found.keys(),
        "not expected": found.keys() - expected.keys(),
        "changed": {name for name in expected.keys() & found.keys() if expected[name] != found[name]},
    }
    named = [f"{_shortened(sorted(names))} {what}" for what, names in faults.items() if names]
    return ", ".join(named) or f"{NAME} changed"


def listed(folder: Path) -> dict[str, str]:
    """{name of a file: its sum} as the sums of `folder` say; empty where there are none or they cannot be read."""
    try:
        return _parsed((folder / NAME).read_text())
    except (OSError, UnicodeDecodeError):
        return {}


def fault_of(path: Path) -> str | None:
    """What is wrong with one file of a folder that has sums; None where nothing is."""
    expected = listed(path.parent).get(path.name)
    if expected is None:
        return f"{NAME} does not list it" if (path.parent / NAME).is_file() else f"{NAME} is missing beside it"
    if not path.is_file():
        return f"the file is missing, {NAME} expects it"
    found = of(path)
    return None if found == expected else f"damaged: its SHA-256 sum is {found}, {NAME} expects {expected}"


def of(path: Path) -> str:
    """The sum of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sums(folder: Path) -> dict[str, str]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    return {path.relative_to(folder).as_posix(): of(path) for path in paths}


def _text(sums: dict[str, str]) -> str:
    return "".join(f"{value}  {name}\n" for name, value in sums.items())


def _parsed(text: str) -> dict[str, str]:
    return dict(reversed(line.split("  ", 1)) for line in text.splitlines() if "  " in line)


def _shortened(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
