"""Entry point of the `ventoy-kit` command and of `python -m ventoy_kit`."""

import gc
import signal
import sys

MANY = 100_000
"""Objects that may be made before Python looks for cycles. A fleet of a thousand nodes is a tree of a million, without
cycles and all in use: with the default of 700 a third of the time of `check` went into looking at them (measured)."""


def _stop(_number: int, _frame: object) -> None:
    """End like after Ctrl-C, so that what was mounted is unmounted.

    The default action would not, and code that must not be cut in half holds Ctrl-C back.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as shells start background jobs
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.raise_signal(signal.SIGINT)


def main() -> None:
    """Run the command line and leave with its exit code (0 done, 1 findings, 2 usage, 3 machine failed)."""
    gc.set_threshold(MANY)
    for name in ("SIGTERM", "SIGHUP"):  # the terminal was closed; Windows has no such thing
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        from ventoy_kit.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while Python was still reading the program
        sys.stderr.write("interrupted\n")
        code = 3
    sys.exit(code)


if __name__ == "__main__":
    main()
