"""What a user installs has the models in it."""

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version

import pytest

from helpers.places import ROOT

BUILDS_WHEELS = (70, 1)  # the first setuptools that does so alone


def setuptools_version() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version("setuptools").split(".")[:2])
    except PackageNotFoundError:
        return (0,)


@pytest.mark.slow
@pytest.mark.skipif(setuptools_version() < BUILDS_WHEELS, reason="needs setuptools 70.1 or later")
def test_a_wheel_holds_every_module_and_every_model(tmp_path):
    """Built of a copy, since a build leaves files in its folder."""
    source = tmp_path / "source"
    for name in ("jtss", "data_prep"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md"):
        shutil.copy(ROOT / name, source)
    if not any((source / "jtss" / "pretrained" / "files").glob("*.h5")):  # none ships yet: any file will do
        (source / "jtss" / "pretrained" / "files").mkdir(exist_ok=True)
        for name in ("none.h5", "none.md", "SHA256SUMS"):
            (source / "jtss" / "pretrained" / "files" / name).touch()
    expected = {path.relative_to(source).as_posix() for path in source.glob("*/**/*") if path.is_file()}
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*command, tmp_path, source], check=True, capture_output=True, text=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected
