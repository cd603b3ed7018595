"""How a service that runs for weeks asks for memory."""

import ctypes
from contextlib import suppress

M_MMAP_THRESHOLD = -3  # glibc's malloc.h
LARGE_BYTES = 1 << 20


def return_large_blocks() -> None:
    """Have every block of `LARGE_BYTES` or more go back to the system when it is freed.

    glibc does so from 128 kB on, but each time that it has freed a larger one it raises that, up to 32 MB. Then the
    arrays of each batch come and go on the heap, between what stays, and the heap grows. Other C libraries have no such
    threshold.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
