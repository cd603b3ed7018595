"""`jtss audit`: of a file or of a run, and its exit status."""

from helpers.made_audits import clean, same_id, write
from helpers.made_runs import TINY, make_run, write_data
from helpers.made_shards import divided
from helpers.programs import jtss


def test_a_data_set_without_leaks_is_0_and_with_one_1(tmp_path, capsys):
    made = clean()
    path = write(tmp_path / "made.h5", made)
    assert jtss("audit", path) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "audit: 0 leaks, 0 warnings"
    same_id(made)
    assert jtss("audit", write(path, made)) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith("audit: 1 leak")
    assert any(line.startswith("LEAK") and "object ids" in line for line in out.splitlines())


def test_of_a_run_directory_the_statistics_are_audited(tmp_path, capsys):
    """Those of the made run are of all objects of its file, training objects or not."""
    write_data(tmp_path / "made.h5")
    make_run(tmp_path / "run", TINY, tmp_path / "made.h5")
    assert jtss("audit", tmp_path / "run") == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("LEAK     statistics   ")


def test_a_folder_of_data_files_is_a_data_set_not_a_run(tmp_path, capsys):
    made = clean()
    _, many = divided(tmp_path, made=made)
    assert jtss("audit", many) == 0
    assert capsys.readouterr().out.startswith(f"{many}: {made.n_objects} objects")
    assert jtss("audit", tmp_path) == 2
    assert "audit" not in capsys.readouterr().out


def test_what_is_neither_is_an_error_of_one_line(tmp_path, capsys):
    assert jtss("audit", tmp_path / "nowhere.h5") == 2
    err = capsys.readouterr().err
    assert err.startswith("jtss: error: ")
    assert "nowhere.h5" in err
    assert err.count("\n") == 1
