"""Names of files that are not whole yet. Pure."""

from __future__ import annotations


def part_path(path: str, sha256: str, temporary: str) -> str:
    """Where a file is written until it is whole: beside its place, under a name that tells what it shall become.

    So the next run finds what an interrupted one left of the very same bytes, and goes on from there.

    Args:
        path: the file's final path, with `/`.
        sha256: digest that the whole file will have, 64 hex digits.
        temporary: beginning of the name.
    """
    folder, slash, _ = path.rpartition("/")
    return f"{folder}{slash}{temporary}{sha256[:12]}.part"
