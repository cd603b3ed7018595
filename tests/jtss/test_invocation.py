"""Commands in messages are spelled as the program was called."""

import shlex

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
