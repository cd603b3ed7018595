"""Exit statuses as a shell has them, and a way out that waits for nothing."""

import signal
import subprocess
import sys

from helpers.places import ROOT
from jtss import exits

LEAVING = """
import atexit, sys
from jtss import exits
atexit.register(print, "never said")
sys.stdout.write("said")
exits.leave(7)
"""


ENDING = LEAVING.replace("never said", "said at last").replace("exits.leave", "exits.end")


def test_the_status_is_that_which_a_shell_reports():
    statuses = {number: exits.status_of(number) for number in exits.SIGNALS}
    assert statuses == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def test_leaving_says_what_was_written_and_waits_for_nothing():
    left = subprocess.run([sys.executable, "-c", LEAVING], cwd=ROOT, capture_output=True, text=True)
    assert (left.stdout, left.returncode) == ("said", 7)


def test_ending_does_what_was_put_off_but_for_the_end_of_the_interpreter():
    late = "class Late:\n    __del__ = lambda self: print('too late')\nlate = Late()\n"
    ended = subprocess.run([sys.executable, "-c", late + ENDING], cwd=ROOT, capture_output=True, text=True)
    assert (ended.stdout, ended.returncode) == ("saidsaid at last\n", 7)
