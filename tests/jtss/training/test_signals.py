"""Signals that stop a training: remembered once, and then as the system has them."""

import signal

import pytest

from jtss import exits
from jtss.training.signals import StopSignals


@pytest.fixture(autouse=True)
def _handlers():
    """What is done to signals is undone."""
    before = {number: signal.getsignal(number) for number in exits.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_is_remembered_and_the_second_is_not(number):
    stop = StopSignals()
    assert not stop.agree()
    signal.raise_signal(number)
    assert stop.may_break_off()
    assert stop.agree()
    assert stop.agreed == number
    again = signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL  # a terminal that closes sends two
    assert signal.getsignal(number) == again


def test_a_hangup_that_nohup_ignores_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop = StopSignals()
    signal.raise_signal(signal.SIGHUP)
    assert not stop.agree()
