"""What breaks the contract of a data set is an error of one line that names file and column."""

import re

import h5py
import numpy as np
import pytest

from data_prep.__main__ import main
from helpers.made_audits import clean, write
from jtss.dataset import rows


def test_blocks_of_a_column_are_its_rows_in_order(tmp_path):
    with h5py.File(write(tmp_path / "made.h5", clean()), "r") as file:
        parts = list(rows(file["jd"], 7))
        assert [len(part) for part in parts] == [7, 7, 7, 7, 7, 7, 6]
        np.testing.assert_array_equal(np.concatenate(parts), file["jd"][:])


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("split", [7], "split 7, expected -1 to 2"),
        ("label", [-3], "label -3, expected -1 to 4"),
        ("object_start", [0, 5, 5], "object_start does not divide the 48 rows among the 24 objects"),
        ("object_start", [1], "object_start does not divide the 48 rows among the 24 objects"),
    ],
)
def test_what_breaks_the_contract_is_an_error_of_one_line(tmp_path, capsys, column, values, message):
    path = write(tmp_path / "made.h5", clean())
    with h5py.File(path, "r+") as file:
        file[column][: len(values)] = values
    assert main(["audit", str(path)]) == 2
    error = capsys.readouterr().err
    assert f"error: {path}: {message}" in error
    assert error.count("\n") == 1


def test_columns_of_other_lengths_and_broken_files_are_errors_of_one_line(tmp_path, capsys):
    path = write(tmp_path / "made.h5", clean())
    with h5py.File(path, "r+") as file:
        file["candid"].resize(40, axis=0)
    assert main(["audit", str(path)]) == 2
    assert re.fullmatch(
        r"python -m data_prep audit: error: .*made.h5: candid has shape \(40,\), expected \(48,\)\n",
        capsys.readouterr().err,
    )
    write(path, clean())
    with h5py.File(path, "r+") as file:
        del file["label"]
        file["label"] = np.zeros(24)
    assert main(["audit", str(path)]) == 2
    assert re.fullmatch(
        r"python -m data_prep audit: error: .*made.h5: label has dtype float64, expected int8\n",
        capsys.readouterr().err,
    )
    with h5py.File(path, "r+") as file:
        del file["label"]
        file.create_dataset("label", (24,), np.int8, maxshape=(None,), chunks=(24,))
        for name in file:
            file[name].resize(int(name == "object_start"), axis=0)
    assert main(["audit", str(path)]) == 2
    assert re.fullmatch(
        r"python -m data_prep audit: error: .*made.h5: no objects, expected at least one\n", capsys.readouterr().err
    )
    path.write_bytes(write(tmp_path / "made.h5", clean()).read_bytes()[:100_000])
    assert main(["audit", str(path)]) == 2
    assert re.fullmatch(
        r"python -m data_prep audit: error: .*made.h5: not a readable HDF5 file .*\n", capsys.readouterr().err
    )
    assert main(["audit", str(tmp_path / "nowhere.h5")]) == 2
