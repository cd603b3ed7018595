"""What is wrong with something that the user gave: one family, so that one `except` catches it."""


class InputError(ValueError):
    """A file, an object or a setting that cannot be used; names it, what was there and what was expected."""
