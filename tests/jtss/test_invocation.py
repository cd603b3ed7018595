"""Commands in messages are spelled as the program was called."""

import shlex

import pytest

from jtss import invocation


def test_a_verb_is_spelled_as_the_installed_program():
    assert invocation.spelled("train", "--resume", 3) == "jtss train --resume 3"
    assert invocation.spelled("models export", "RUN") == "jtss models export RUN"


def test_a_verb_is_spelled_as_the_script_that_was_called_and_others_are_not():
    invocation.called_as("train", "python", "train.py")
    assert invocation.spelled("train", "--list") == "python train.py --list"
    assert invocation.spelled("evaluate", "run") == "python -m jtss evaluate run"  # a checkout may have no jtss
    invocation.forget()
    assert invocation.spelled("train", "--list") == "jtss train --list"


def test_a_shell_reads_back_what_is_spelled():
    words = ["a b", "it's", "$HOME", ""]
    assert shlex.split(invocation.spelled("train", *words)) == ["jtss", "train", *words]


def options() -> list[str]:
    return [invocation.option(*each) for each in (("out",), ("force", True), ("screen-bogus",), ("set", "a b"))]


def test_an_option_is_spelled_for_whoever_called():
    in_the_shell = ["--out", "--force", "--screen-bogus", "--set 'a b'"]
    assert options() == in_the_shell
    with invocation.from_python():
        assert options() == ["out=", "force=True", "screen_bogus=", "set='a b'"]
    assert options() == in_the_shell


def fail_in_python() -> None:
    with invocation.from_python():
        raise KeyError


def test_an_error_ends_what_is_called_from_python():
    with pytest.raises(KeyError):
        fail_in_python()
    assert options()[0] == "--out"
