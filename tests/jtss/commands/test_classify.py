"""What `jtss classify` says of the catalogue, and that its own files are no alerts."""

import csv

import pytest

from helpers.make_packets import alert, save
from jtss.commands.main import main


@pytest.mark.parametrize("ra", [150.0, 10.0])
def test_files_beside_the_alerts_are_passed_over_and_the_match_to_allwise_is_told(tmp_path, capsys, monkeypatch, ra):
    monkeypatch.chdir(save(tmp_path / "night", [alert("ZTF18a", 1), alert("ZTF18b", 2)]))
    with open("allwise.csv", "w") as file:
        file.write(f"ra,dec,w1,w2,w3,w4\n{ra},2.0,15,14,12,9\n")
    outputs = ["--out", "table.csv", "--rejects", "rejects.jsonl", "--picture", "picture.png"]
    for _ in range(2):
        assert main([".", "-m", "n1_enhanced", "--allwise", "allwise.csv", *outputs], verb="classify") == 0
        said = capsys.readouterr()
        assert "other_file" not in said.out
        if ra == 150.0:
            assert "\nAllWISE: 2 of 2 objects matched\n" in f"\n{said.out}"
        else:
            assert "WARNING: AllWISE: 0 of 2 objects matched" in said.err
    with open("table.csv", newline="") as file:
        assert {row["oid"] for row in csv.DictReader(file)} == {"ZTF18a", "ZTF18b"}
