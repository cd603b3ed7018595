"""The commit of the program that measures, where it runs from a repository."""

import subprocess
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
UNKNOWN = "unknown"


@cache
def current() -> str:
    """Abbreviated hash, with "+" where files differ from it; "unknown" without git or outside our own repository."""
    if not _git("ls-files", "--error-unmatch", Path(__file__).name):  # installed somewhere in a repository of others
        return UNKNOWN
    name = _git("rev-parse", "--short=9", "HEAD")
    return name + ("+" if _git("diff", "--name-only", "HEAD") else "") if name else UNKNOWN


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(["git", *arguments], cwd=FOLDER, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()
