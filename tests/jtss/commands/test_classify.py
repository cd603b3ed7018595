"""`jtss classify`: what is refused, what is said, what is written."""

from helpers.programs import jtss


def test_classification_refuses_two_outputs_of_one_name_before_anything_is_read(tmp_path, capsys):
    out = tmp_path / "a.csv"
    assert jtss("classify", tmp_path / "nowhere", "--out", out, "--rejects", out) == 2
    assert capsys.readouterr().err == f"jtss: error: --out and --rejects name the same file {out}; expected two\n"
