"""The door of all verbs."""

import subprocess
import sys

import pytest

from helpers.places import ROOT
from helpers.programs import ENVIRONMENT, jtss
from jtss.commands.main import VERBS, module_of


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_help(verb, capsys):
    assert jtss(verb, "--help") == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: jtss {verb} ")
    assert module_of(verb).HELP[0].islower()


def test_the_help_fits_a_screen_and_shows_how_to_begin(capsys):
    assert jtss("--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 30
    assert any("jtss classify ALERTS -m n1_enhanced" in line for line in lines)
    assert max(map(len, lines)) <= 100


def test_unknown_verbs_are_refused_by_name(capsys):
    assert jtss("clasify", "alerts") == 2
    assert "invalid choice: 'clasify'" in capsys.readouterr().err


def test_a_shell_that_completes_gets_the_verbs(tmp_path):
    """As `eval "$(register-python-argcomplete jtss)"` asks for them."""
    answers = tmp_path / "answers"
    line = "jtss cla"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answers),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    code = "import sys; sys.argv = ['jtss']; from jtss.commands.main import program; program()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=ENVIRONMENT | asked, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert answers.read_text().strip() == "classify"


WRITE_FILES = ("classify", "export", "data build", "data simulate", "data inspect")
WRITE_FOLDERS = ("evaluate", "explain", "realism", "data compare")


@pytest.mark.parametrize("verbs", [*WRITE_FILES, *WRITE_FOLDERS])
def test_the_help_says_what_becomes_of_what_is_there(verbs, capsys):
    """Files are replaced by --force only, folders of reports are made anew."""
    assert jtss(*verbs.split(), "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert ("--force replace files that exist" in said) == (verbs in WRITE_FILES)
    assert ("what is there is replaced" in said or "replaces earlier ones" in said) == (verbs in WRITE_FOLDERS)
