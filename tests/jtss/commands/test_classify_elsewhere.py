"""`jtss classify` of alerts elsewhere: the table that they give here, and no secret told."""

import pytest

pytest.importorskip("fsspec")

import jtss as package
from helpers.elsewhere import SECRET, store_of
from helpers.made_runs import table_of
from helpers.make_packets import night, save
from helpers.programs import jtss
from jtss.commands import common
from jtss.errors import InputError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A night and a catalogue, here and in s3://bucket/night."""
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "night", night())
    (path / "allwise.csv").write_text("ra,dec,W1,W2,W3,W4\n150.0,2.0,15,14,12,9\n")
    with store_of(path):
        yield path


def test_a_store_gives_the_table_that_the_folder_gives(folder, capsys):
    there = "s3://bucket/night"
    for out, place in (("here.csv", folder), ("there.csv", there)):
        words = ["-m", "n1_baseline", "--out", out, "--allwise", f"{place}/allwise.csv"]
        assert jtss("classify", place, *words) == 0
        assert "other_file" not in capsys.readouterr().out  # the catalogue
    assert table_of("there.csv") == table_of("here.csv")


def test_python_takes_urls(folder):
    alerts = package.read_alerts("s3://bucket/night")
    assert alerts.ledger["kept"] == 10
    with pytest.raises(InputError, match=r"s3://\*\*\*@bucket/nothing: no such file") as refused:
        package.read_alerts(f"s3://key:{SECRET}@bucket/nothing")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", ["out", "rejects", "picture", "trajectory"])
def test_what_is_written_stays_here(folder, capsys, name):
    assert jtss("classify", folder, f"--{name}", f"s3://k:{SECRET}@bucket/t.csv") == 2
    said = capsys.readouterr().err
    assert said.startswith(f"jtss: error: --{name}: s3://***@bucket/t.csv is a URL, expected a file of this machine")
    assert said.count("\n") == 1


def test_a_place_keeps_its_slashes():
    assert common.place("s3://bucket/x") == "s3://bucket/x"
    assert str(common.place("file:///night/x.avro")) == "/night/x.avro"
    assert str(common.place("night//x.avro")) == "night/x.avro"
