"""Exceptions for invalid user input, as opposed to errors of the program."""


class InputError(ValueError):
    """An error in the user's input.

    The message says what must hold, what was given and how to correct it. The command lines print
    the message on one line, followed by the options that set the named fields, and exit with code
    2. Any other exception is a bug and keeps its traceback.

    Args:
        message: description of the error, without reference to command-line options.
        fields: names of the settings to change, such as "store", or a dotted path in a study's
            settings, such as "data.root", also with the value that mends the fault, such as
            "data.spot_check=false". Each command line translates them to its options.
    """

    def __init__(self, message: str, *fields: str) -> None:
        super().__init__(message)
        self.fields = fields


class MissingDataError(InputError):
    """An error raised for a data file or folder that is absent, unreadable or corrupt."""


def about(name: str, message: str) -> str:
    """Returns a message after the name that the message is about, unless it begins with the name.

    Args:
        name: name of a field, a parameter or a file.
        message: the message of an error.
    """
    return message if message.startswith(f"{name} ") else f"{name}: {message}"


def require_input(condition: bool, message: str) -> None:
    """Raises InputError with `message` unless `condition` holds."""
    if not condition:
        raise InputError(message)
