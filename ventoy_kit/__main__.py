"""Entry point of the `ventoy-kit` command and of `python -m ventoy_kit`."""

import sys


def main() -> None:
    """Run the command line and leave with its exit code (0 done, 1 findings, 2 usage, 3 machine failed)."""
    from ventoy_kit.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
