"""Sums of a folder: the format of sha256sum, and every kind of damage is named."""

import shutil
import subprocess

import pytest

from jtss import files


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "state"
    (path / "d").mkdir(parents=True)
    (path / "a").write_bytes(b"")
    (path / "d" / "b").write_bytes(bytes(range(64)))
    (path / "d" / "c").write_text("text\n")
    files.write_sums(path)
    return path


def test_a_folder_as_it_was_written_has_no_fault(folder):
    assert files.folder_fault(folder) is None


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum here")
def test_sha256sum_reads_the_sums(folder):
    command = ["sha256sum", "--check", "--strict", files.SUMS]
    checked = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert checked.returncode == 0
    assert sorted(checked.stdout.splitlines()) == ["a: OK", "d/b: OK", "d/c: OK"]


def test_flipped_bits_are_found(folder):
    """Every third bit of every file, the sums themselves included."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for bit in range(0, 8 * len(content), 3):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            assert files.folder_fault(folder), f"bit {bit} of {path}"
        path.write_bytes(content)
    assert files.folder_fault(folder) is None


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda folder: (folder / "d" / "b").unlink(), "d/b missing"),
        (lambda folder: shutil.rmtree(folder / "d"), "d/b and 1 more missing"),
        (lambda folder: (folder / "d" / "e").touch(), "d/e not expected"),
        (lambda folder: (folder / "d" / "c").write_text("test\n"), "d/c changed"),
        (lambda folder: (folder / "d" / "b").write_bytes(bytes(range(63))), "d/b changed"),
        (lambda folder: (folder / "a").rename(folder / "z"), "a missing, z not expected"),
        (lambda folder: (folder / files.SUMS).unlink(), "SHA256SUMS is missing"),
        (lambda folder: (folder / files.SUMS).write_text(""), "a and 2 more not expected"),
        (lambda folder: (folder / files.SUMS).write_bytes(b"\xff"), "cannot be read"),
        (lambda folder: shutil.rmtree(folder), "SHA256SUMS is missing"),
    ],
)
def test_damage_is_named(folder, damage, fault):
    damage(folder)
    assert fault in files.folder_fault(folder)
