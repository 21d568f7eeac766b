"""The one exception that means "the input is wrong", as opposed to "the program is wrong"."""


class InputError(ValueError):
    """Input that cannot be used: the message says what must hold, what came, how to mend it.

    The command lines turn it into that one line, the options of the fields behind it, and exit code
    2; anything else is a bug and keeps its traceback.

    Args:
        message: what is wrong, in terms of the thing itself.
        fields: names of what to set otherwise, such as "store" or, of a study's settings, a dotted
            path such as "data.root". How a user sets it, only a command line knows.
    """

    def __init__(self, message: str, *fields: str) -> None:
        super().__init__(message)
        self.fields = fields


class MissingDataError(InputError):
    """A data file or folder that is absent, unreadable or corrupt."""


def require_input(condition: bool, message: str) -> None:
    """Raises InputError with the message unless the condition holds."""
    if not condition:
        raise InputError(message)
