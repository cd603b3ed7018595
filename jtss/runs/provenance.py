"""What a measurement was made with: versions, hardware and commit, to be written beside every number."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import jax

from jtss.version import __version__

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "h5py")


def versions() -> dict[str, str]:
    """Versions of Python, of this program and of the packages that numbers depend on."""
    return {"python": platform.python_version(), "jtss": __version__} | {name: version(name) for name in PACKAGES}


def hardware() -> dict[str, str | int]:
    """The device that JAX computes on, the processor and the system."""
    device = jax.devices()[0]
    return {
        "platform": device.platform,
        "device": processor() if device.platform == "cpu" else device.device_kind,
        "n_devices": jax.device_count(),
        "processor": processor(),
        "n_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "system": platform.platform(),
    }


def processor() -> str:
    """The processor's name, as the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


FOLDER = Path(__file__).parent
UNKNOWN = "unknown"


@cache
def commit() -> str:
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
