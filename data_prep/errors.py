"""What went wrong with what the user gave, in one line."""


class InputError(ValueError):
    """A file or a setting that cannot be used; the message names it, what was found and what was expected."""
