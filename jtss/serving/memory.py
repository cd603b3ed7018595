"""Memory that a service has freed and the C library keeps."""

import ctypes

JOBS = 64  # the time that it takes, 1 to 5 ms, is nothing beside theirs


class Trimmer:
    """Returns to the system what the allocator keeps for later, after every so many jobs.

    The arrays of a batch come and go on the heap, between what stays. glibc returns the heap from its end alone: what
    lies under something that stays it keeps, and a service that runs for weeks grows. Other C libraries have no such
    function; there nothing is done.
    """

    def __init__(self, jobs: int = JOBS) -> None:
        self._jobs, self._n_done = jobs, 0
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def job_done(self) -> None:
        self._n_done += 1
        if self._trim is not None and self._n_done % self._jobs == 0:
            self._trim(0)
