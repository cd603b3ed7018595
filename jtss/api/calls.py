"""What all that a notebook calls has in common: one family of errors, and warnings at the line that asked."""

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jtss import invocation
from jtss.errors import InputError

OUR_CODE = Path(__file__).parents[1]


@contextmanager
def one_family() -> Iterator[None]:
    """Let what is wrong with the input be an InputError, whatever the rooms below call it, and advise arguments."""
    try:
        with invocation.from_python():
            yield
    except InputError:
        raise
    except (ValueError, FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise InputError(str(error)) from error


def warn(line: str) -> None:
    """Warn at the line of the caller's that asked for this, however deep below it the reason showed."""
    depth, frame = 1, inspect.currentframe()
    while frame.f_back and Path(frame.f_code.co_filename).is_relative_to(OUR_CODE):
        depth, frame = depth + 1, frame.f_back
    warnings.warn(line, stacklevel=depth)
