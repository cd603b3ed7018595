"""Stamps in .npy files: what is read, what is refused, and what is found to be missing."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from data_prep.published import stamps
from helpers.places import ROOT
from jtss.errors import InputError


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 63, 63, 3)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8"])
def test_triplets_are_read_from_anywhere_in_the_file(tmp_path, dtype):
    images = noise(7)
    np.save(tmp_path / "a.npy", images.astype(dtype))
    assert stamps.count(tmp_path / "a.npy") == 7
    part = stamps.read(tmp_path / "a.npy", 2, 5)
    assert (part.dtype, type(part)) == (np.float32, np.ndarray)
    np.testing.assert_array_equal(part, images[2:5])


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def saved(path, array, cut: int = 0):
    np.save(path, array)
    path.write_bytes(path.read_bytes()[: -cut or None])


FAULTS = {
    "truncated": (lambda path: saved(path, noise(2), cut=1), "mmap length is greater than file size"),
    "cut in its header": (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"), "8 bytes that are no complete array"),
    "empty": (lambda path: path.write_bytes(b""), "0 bytes that are no complete array"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps(Bomb())), "no complete array"),
    "objects": (lambda path: np.save(path, np.array([Bomb()] * 2)), "Python objects"),
    "an archive": (lambda path: path.write_bytes(archive(path)), "an archive of arrays"),
    "integers": (lambda path: np.save(path, noise(2).astype(int)), "shape [2, 63, 63, 3] of int64"),
    "cropped": (lambda path: np.save(path, noise(2)[:, :49, :49]), "shape [2, 49, 49, 3] of float32"),
    "channels first": (lambda path: np.save(path, noise(2).transpose(0, 3, 1, 2)), "shape [2, 3, 63, 63]"),
    "a number": (lambda path: np.save(path, np.float32(1)), "shape [] of float32"),
    "column by column": (lambda path: np.save(path, np.asfortranarray(noise(2))), "np.ascontiguousarray"),
}


def archive(path) -> bytes:
    np.savez(path.with_suffix(".npz"), noise(1))
    return path.with_suffix(".npz").read_bytes()


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_array_of_stamps_is_refused_by_name(tmp_path, name):
    make, message = FAULTS[name]
    make(tmp_path / "a.npy")
    with pytest.raises(InputError) as refused:
        stamps.count(tmp_path / "a.npy")
    said = str(refused.value)
    assert said.startswith(str(tmp_path / "a.npy"))
    assert message in said
    assert "expected stamps in one array [N, 63, 63, 3]" in said
    assert "\n" not in said


def test_a_file_that_is_not_there():
    with pytest.raises(FileNotFoundError, match=r"absent\.npy: no such file"):
        stamps.count(ROOT / "absent.npy")


def test_zeros_are_missing_and_the_rest_is_left_as_it_is():
    images = noise(3)
    images[1, :20, :5] = 0
    images[2, -1, :, 0] = 0  # a masked row at the edge, not filled up
    before = images.copy()
    restored, faults = stamps.restore(images)
    assert faults == [None] * 3
    np.testing.assert_array_equal(np.isnan(restored), before == 0)
    np.testing.assert_array_equal(restored[before != 0], before[before != 0])


@pytest.mark.parametrize("filling", [1e-9, 0.0125])
@pytest.mark.parametrize("size", [(63, 62), (41, 63), (50, 55)])
def test_stamps_that_were_filled_up_are_those_of_the_edge(size, filling):
    images = noise(3)
    images[1, size[0] :] = images[1, :, size[1] :] = np.float32(filling)
    images[2, size[0] :, :, 2] = images[2, :, size[1] :, 2] = np.float32(filling)  # one image of the three suffices
    _, faults = stamps.restore(images)
    assert [fault and fault.reason for fault in faults] == [None, "stamp_shape", "stamp_shape"]


def test_a_constant_image_is_not_filled_up():
    images = noise(1)
    images[..., 1] = 1 / 63
    assert stamps.restore(images)[1] == [None]


@pytest.mark.parametrize("nothing", [0, np.nan, np.inf, 3.4e38])
def test_an_image_without_light_is_refused(nothing):
    images = noise(2)
    images[1, ..., 1] = nothing
    _, (good, bad) = stamps.restore(images)
    assert good is None
    assert (bad.reason, bad.detail.split(":")[0]) == ("all_nan_stamp", "template")


GROWTH = """
import resource, sys
from pathlib import Path
from data_prep.published import stamps
path = Path(sys.argv[1])
n = stamps.count(path)
stamps.read(path, 0, 64)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for first in range(0, n, 64):
    stamps.read(path, first, first + 64)
print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_reading_a_large_file_takes_no_more_memory_than_its_beginning(tmp_path):
    """400 MB with holes in place of data; a mapping that is kept would take as much."""
    path, n = tmp_path / "a.npy", 4200
    np.lib.format.open_memmap(path, "w+", np.float64, (n, 63, 63, 3)).flush()
    command = [sys.executable, "-c", GROWTH, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    n_read, growth_kb = map(int, done.stdout.split())
    assert n_read == n
    assert growth_kb < 40_000
