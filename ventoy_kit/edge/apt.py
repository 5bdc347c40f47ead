"""Runs apt in a private root: own sources, keys, lists and cache. Nothing of the machine's own apt is read or changed."""

from __future__ import annotations

import mmap
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from ventoy_kit.edge.files import make_folder, remove_file, remove_tree, storage_error, write_atomic
from ventoy_kit.edge.net_errors import NoSpaceError
from ventoy_kit.ports import WatchedProcess

UPDATE_SECONDS = 600.0
"""For the index; its lists have about ten megabytes."""

DOWNLOAD_SECONDS = 7200.0
"""For a package; apt itself gives up on a server that says nothing for half a minute."""

QUERY_SECONDS = 60.0


class AptRoot:
    """A private apt root in `folder`. One run at a time: the caller holds a lock."""

    def __init__(self, process: WatchedProcess, folder: Path) -> None:
        self.process, self.folder = process, folder

    def prepare(self, configuration: str, sources: str, keys: Sequence[bytes]) -> None:
        """Make the root anew, but for packages that an interrupted run has received.

        Raises:
            StorageError: it cannot be written.
        """
        for name in ("state", "cache", "trusted.gpg.d"):
            remove_tree(self.folder / name)
        for name in ("state/lists/partial", "cache/archives/partial", "trusted.gpg.d", "debs"):
            make_folder(self.folder / name)
        write_atomic(self.folder / "apt.conf", configuration.encode())
        write_atomic(self.folder / "sources.list", sources.encode())
        write_atomic(self.folder / "status", b"")
        write_atomic(self.folder / "trusted.gpg.d/archive.gpg", b"".join(keys))

    def update(self, tick: Callable[[], None]) -> tuple[int, str]:
        """Fetch the index; exit code and output of apt.

        Raises:
            MachineError: apt could not be run or came to no end.
        """
        return self._apt("update", seconds=UPDATE_SECONDS, tick=tick)

    def download(self, package: str, version: str, received: Callable[[int], None]) -> tuple[int, str]:
        """Fetch one version of a package into `debs/`; exit code and output of apt.

        Args:
            package: its name.
            version: its version.
            received: called several times a second with the bytes that are there.

        Raises:
            MachineError: apt could not be run or came to no end.
        """
        debs = self.folder / "debs"
        return self._apt(
            "download",
            f"{package}={version}",
            seconds=DOWNLOAD_SECONDS,
            tick=lambda: received(_bytes_below(debs)),
        )

    def signed_index(self) -> bytes | None:
        """The one clear-signed index; None if there is none, or more than one.

        Raises:
            StorageError: it cannot be read.
        """
        found = list((self.folder / "state/lists").glob("*_InRelease"))
        return _read(found[0]) if len(found) == 1 else None

    def packages_file(self) -> Path | None:
        """The one list of packages; None if there is none, or more than one."""
        found = list((self.folder / "state/lists").glob("*_Packages"))
        return found[0] if len(found) == 1 else None

    def package_file(self, name: str) -> Path | None:
        """A package that was fetched, by its file's name in the archive; None if it is not there under that name."""
        path = self.folder / "debs" / name
        return path if path.is_file() and not path.is_symlink() else None

    def drop_package(self, name: str) -> None:
        """Remove a package that turned out to be wrong."""
        remove_file(self.folder / "debs" / name)

    def remove(self) -> None:
        """Remove the whole root.

        Raises:
            StorageError: it cannot be removed.
        """
        remove_tree(self.folder)

    def _apt(self, *arguments: str, seconds: float, tick: Callable[[], None]) -> tuple[int, str]:
        where = ("env", "-C", str(self.folder / "debs"), f"APT_CONFIG={self.folder / 'apt.conf'}")
        code, out, err = self.process.watch(
            (*where, "apt-get", "-q", "-y", *arguments), timeout=seconds, tick=tick
        )
        return code, out + err


def stanzas(path: Path, package: str) -> list[str]:
    """The paragraphs of a `Packages` file that begin with this package's name; the file is mapped, not loaded.

    Raises:
        StorageError: it cannot be read.
    """
    head = f"Package: {package}\n".encode()
    found = []
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            at = 0 if text[: len(head)] == head else text.find(b"\n" + head)
            while at >= 0:
                end = text.find(b"\n\n", at + 1)
                found.append(
                    text[at : end if end >= 0 else len(text)].decode("utf-8", "replace").lstrip("\n")
                )
                at = text.find(b"\n" + head, at + 1)
    except ValueError:  # an empty file cannot be mapped
        return []
    except OSError as error:
        raise storage_error("read", path, error) from error
    return found


def host_listing(process: WatchedProcess, form: str) -> str:
    """What this machine's own apt has lists of, one line each in the given form; nothing if that cannot be told."""
    argv = ("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    code, out, _ = process.run(argv, timeout=QUERY_SECONDS)
    return out if code == 0 else ""


def host_configuration(process: WatchedProcess) -> str:
    """The configuration of this machine's own apt; nothing if it cannot be told."""
    code, out, _ = process.run(("apt-config", "dump"), timeout=QUERY_SECONDS)
    return out if code == 0 else ""


def others_may_enter(folder: Path) -> bool:
    """Whether users without any right of their own can reach what lies in a folder, or will when it is made."""
    try:
        return all(p.stat().st_mode & 0o001 for p in (folder, *folder.parents) if p.exists())
    except OSError:
        return False


def check_space(folder: Path, need: int) -> None:
    """Raise NoSpaceError if `need` bytes have no room."""
    free = shutil.disk_usage(folder).free
    if free < need:
        raise NoSpaceError(folder, need, free)


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if not path.is_dir() else 0
        except OSError:  # moved to its place just now
            continue
    return total


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise storage_error("read", path, error) from error
