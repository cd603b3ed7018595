"""What is wrong with something that the user gave: one family, so that one `except` catches it; errors in a line."""


class InputError(ValueError):
    """A file, an object or a setting that cannot be used; names it, what was there and what was expected."""


def shortly(error: Exception) -> str:
    """An error by its kind and message. Python's own form of one of decoding holds all that could not be decoded."""
    return f"{type(error).__name__}: {error}" if isinstance(error, UnicodeError) else repr(error)
