"""What a program prints, where its reader may go away."""

import io
import sys


class _Unread(io.FileIO):
    """A stream that takes what nobody reads any more as written."""

    def write(self, data) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return len(data)


def outlive_readers() -> None:
    """Let this program do its work to the end in silence when the reader of its output has seen enough, as `head`.

    Replaces `sys.stdout` and `sys.stderr`. SIGPIPE would end the program in the middle of what it was started for, and
    an exception be taken for a failure of that.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None:  # closed by who started the program
            stream.flush()
            raw = _Unread(stream.fileno(), "w", closefd=False)
            setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(raw), **_manner(stream)))


def _manner(stream: io.TextIOWrapper) -> dict:
    names = ("encoding", "errors", "line_buffering", "write_through")
    return {name: getattr(stream, name) for name in names}
