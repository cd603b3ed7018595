"""Ctrl-C, SIGTERM, SIGHUP: remembered, agreed on by all processes, obeyed without waiting for what takes long."""

import signal

import jax

from jtss import devices, exits


class StopSignals:
    """Remembers these signals instead of breaking off in the middle of a step; a second one does break off."""

    def __init__(self):
        self.number = 0  # of the signal that this process got
        self.agreed = 0  # what all processes stop for
        for number in exits.SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as SIGHUP is under nohup
                signal.signal(number, self._remember)

    def _remember(self, number: int, _frame) -> None:
        self.number = number
        # a terminal that closes sends two SIGHUPs at once: not a second request
        signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)

    def agree(self) -> bool:
        """Whether any process was asked to stop. All must ask together, and all get the same answer."""
        if devices.any_process(bool(self.number)):
            self.agreed = self.number or signal.SIGTERM
        return bool(self.agreed)

    def may_break_off(self) -> bool:
        """Whether a step under way may be given up; several processes must all finish it."""
        return bool(self.number) and jax.process_count() == 1
