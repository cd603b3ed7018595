"""One target under libFuzzer: `python -m fuzz.child TARGET [libFuzzer's arguments | files to replay]`.

What Python raises is kept, one input for each place that raised it, and the fuzzing goes on; a crash, 10 seconds or too
much memory end it, and libFuzzer keeps the input.
"""

import hashlib
import sys
import traceback
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["data_prep", "jtss"]):
    from fuzz.targets import TARGETS, Target, limited_memory

SECONDS = 10
PREFIX = "-artifact_prefix="


class Findings:
    """Tries inputs on a target; writes those that raise to `prefix` and a name for the place."""

    def __init__(self, target: Target, prefix: str) -> None:
        self.target, self.prefix, self.places = target, prefix, set()

    def __call__(self, data: bytes) -> None:
        try:
            self.target.try_on(data)
        except Exception as error:
            self._keep(data, error)

    def _keep(self, data: bytes, error: Exception) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = hashlib.sha256(f"{type(error)} {frame.filename} {frame.lineno}".encode()).hexdigest()[:12]
        if place not in self.places:
            self.places.add(place)
            Path(f"{self.prefix}{type(error).__name__}-{place}").write_bytes(data)
            traceback.print_exception(error)


def main(name: str, *arguments: str) -> None:
    warnings.simplefilter("error", RuntimeWarning)
    target = TARGETS[name]
    for seed in target.seeds():  # loads what is imported on use, before the memory is limited
        target.try_on(seed)
    prefix = next((each.removeprefix(PREFIX) for each in arguments if each.startswith(PREFIX)), None)
    limits = [f"-timeout={SECONDS}", "-rss_limit_mb=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *arguments], Findings(target, prefix) if prefix else target.try_on)
    with limited_memory():
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
