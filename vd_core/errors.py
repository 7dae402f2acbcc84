"""The one exception that a person is meant to read."""


class InputError(ValueError):
    """Something that a person gave cannot be used. The message is one line: it names the file or key and says what to do."""
