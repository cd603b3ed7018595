"""Files of plain values, each written whole or not at all."""

import json
import math
import os
from pathlib import Path


def plain(value):
    """The same nested value with NaN and infinity as None, for JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(value) -> str:
    """A nested plain value as JSON; what is not finite becomes null."""
    return json.dumps(plain(value), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def write(path: Path, text: str) -> None:
    """Write a text under a temporary name and rename it: the old file stays until the new one is complete.

    Raises:
        OSError: the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
