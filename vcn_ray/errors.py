"""The exceptions a user can meet.

Each message is one sentence or two that name the file or the option, say what is wrong and what to do. The command
line prints the message without a traceback and exits with ``exit_code``; in a season of several titles, an error of
one title is recorded with that title and the others go on.
"""


class VcnError(Exception):
    """Base of everything that a user can cause and mend."""

    exit_code = 2


class InputError(VcnError):
    """A video, folder, table or ground truth that cannot be used."""


class OptionError(VcnError):
    """An option that does not exist or a value that it cannot have."""


class ModelError(VcnError):
    """A face model that cannot be had, verified or converted."""


class OutputError(VcnError):
    """A result that cannot be written or read back: no permission, no space, damaged file."""

    exit_code = 3


def first_line(error: Exception) -> str:
    """What an exception says, in one line: libraries add pages."""
    return next(iter(str(error).splitlines()), type(error).__name__)
