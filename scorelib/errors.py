"""The one exception that means "the input is wrong", as opposed to "the program is wrong"."""


class InputError(ValueError):
    """Input that cannot be used: the message says what must hold, what came, how to mend it.

    The command lines turn it into that one line and exit code 2; anything else is a bug and keeps
    its traceback.
    """


class MissingDataError(InputError):
    """A data file or folder that is absent, unreadable or corrupt."""


def require_input(condition: bool, message: str) -> None:
    """Raises InputError with the message unless the condition holds."""
    if not condition:
        raise InputError(message)
