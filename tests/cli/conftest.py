"""The fixtures of tests/app serve here too."""

from tests.app.conftest import _starter, built, cli, fleet

__all__ = ["_starter", "built", "cli", "fleet"]
