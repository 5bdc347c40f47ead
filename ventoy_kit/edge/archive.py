"""Takes one member out of a vendor's archive. No name in it becomes a name on this machine."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from pathlib import Path

from ventoy_kit.edge.files import storage_error

_BLOCK = 1024 * 1024


class BadArchiveError(Exception):
    """The archive does not hold what it should; the message is one sentence for the user."""


def unpack_member(archive: Path, member: str, target: Path, limit: int) -> tuple[str, int]:
    """Write the one member of a ZIP file whose whole name matches into `target`, over what is there.

    Args:
        archive: the ZIP file.
        member: a regular expression for the name.
        target: where the bytes go.
        limit: bytes that the member may have at most, whatever the archive's directory says.

    Returns:
        SHA-256 (64 hex digits) and size in bytes.

    Raises:
        BadArchiveError: no such member, two of them, an encrypted, damaged or too large one, or no ZIP file.
        StorageError: reading or writing failed.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with (
            zipfile.ZipFile(archive) as opened,
            opened.open(_only(opened, member)) as source,
            target.open("wb") as out,
        ):
            while block := source.read(_BLOCK):
                size += len(block)
                if size > limit:
                    raise BadArchiveError(f"the member is larger than the {limit:,} bytes that are allowed")
                digest.update(block)
                out.write(block)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadArchiveError(f"it is no ZIP file that can be read ({reason})") from error
    except OSError as error:
        raise storage_error("unpack", archive, error) from error
    return digest.hexdigest(), size


def _only(archive: zipfile.ZipFile, member: str) -> zipfile.ZipInfo:
    infos = archive.infolist()
    found = [i for i in infos if re.fullmatch(member, i.filename, re.ASCII) and not i.is_dir()]
    if len(found) != 1:
        names = ", ".join(i.filename[:80] for i in infos[:5]) or "nothing"
        raise BadArchiveError(f"{len(found)} members match {member}; it holds {names}")
    return found[0]
