"""Exceptions for failures of the machine.

A mistake of the user is never an exception: it is a finding in a report (see report.py). What stands here
ends a command with exit code 3, with a sentence that says what failed and a hint at what to do.
"""


class MachineError(Exception):
    """The machine failed: a disk, a process, the network, a missing program.

    Args:
        message: one sentence, what failed and on what.
        hint: one sentence, what the user can do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class MissingToolError(MachineError):
    """A program or module that a step needs is not installed."""


class StorageError(MachineError):
    """Reading or writing a file or device failed (no space, no permission, I/O error, device gone)."""


class InterruptedRunError(MachineError):
    """The user pressed Ctrl-C; nothing that looks finished was left behind."""
