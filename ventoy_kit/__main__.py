"""Entry point of the `ventoy-kit` command and of `python -m ventoy_kit`."""

import signal
import sys


def _stop(_number: int, _frame: object) -> None:
    """End like after an error, so that what was mounted is unmounted (the default action would not)."""
    sys.exit(3)


def main() -> None:
    """Run the command line and leave with its exit code (0 done, 1 findings, 2 usage, 3 machine failed)."""
    from ventoy_kit.cli import run

    signal.signal(signal.SIGTERM, _stop)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
