"""A Debian archive for the real installer in a virtual machine: what the mirror has of its components, over HTTP.

Nothing is substituted in silence. What the mirror lists but does not have (`missing`) is left out of the index, and
what a test puts in its place it says. The index of components is thus not Debian's own; it is signed with a key of the
test that is added to the installer's keyring (`trust`). All other files are the mirror's, with Debian's signatures.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import lzma
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.support.pgp import Key

KEY = Key("Test archive <archive@mirror.example>", datetime(2020, 1, 1, tzinfo=UTC))
"""Signs the indices that leave out what the mirror lacks."""

SUITES = {"12": ("oldstable", "bookworm"), "13": ("stable", "trixie")}
NEEDED = ("standard", "important", "required")
"""Priorities of the components that the installer loads by itself."""

MORE = (
    *("partman-auto-lvm", "partman-auto-raid", "partman-lvm", "partman-md", "partman-efi", "partman-ext3"),
    *("partman-btrfs", "partman-xfs", "partman-basicmethods", "partman-auto-crypto", "partman-crypto"),
    *("grub-installer", "user-setup-udeb", "finish-install", "pkgsel", "apt-setup-udeb", "apt-mirror-setup"),
    *("mdadm-udeb", "lvm2-udeb", "dmsetup-udeb", "btrfs-progs-udeb", "dosfstools-udeb", "apt-cdrom-setup"),
    *("cdrom-detect", "tzsetup-udeb", "clock-setup", "base-installer", "bootstrap-base", "hw-detect"),
)
"""Components besides those: what they ask is looked at by tests, and they are loaded if another one needs them."""


def mirror() -> str | None:
    """The mirror that this machine's own apt uses; None if there is none."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
    )
    return next((line for line in done.stdout.split() if line.endswith("/debian/")), None)


def _get(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            data: bytes = answer.read()
            return data
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


@dataclass(frozen=True)
class Archive:
    """What was received of one release.

    Attributes:
        release: `12` or `13`.
        folder: where the components lie, by their file names.
        stanzas: their paragraphs of the index, by component.
        missing: components that are listed and that the mirror does not have.
    """

    release: str
    folder: Path
    stanzas: dict[str, str]
    missing: tuple[str, ...] = field(repr=False)

    def package(self, name: str) -> Path | None:
        """A component's file."""
        if name not in self.stanzas:
            return None
        return self.folder / _field(self.stanzas[name], "Filename").rsplit("/", 1)[1]

    def with_needs(self, names: Iterable[str]) -> set[str]:
        """Components and those that they depend on, as far as the mirror has them."""
        providers = {
            virtual: name
            for name, stanza in self.stanzas.items()
            for virtual in _field(stanza, "Provides").replace(",", " ").split()
        }
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            name = name if name in self.stanzas else providers.get(name, name)
            if name in self.stanzas and name not in found:
                found.add(name)
                waiting += _needs(self.stanzas[name])
        return found

    def unpacked(self, name: str, target: Path) -> Path:
        """Unpack a component; its control files go into `target/DEBIAN`."""
        package = self.package(name)
        assert package is not None, name
        subprocess.run(["dpkg-deb", "-x", package, target], check=True)
        subprocess.run(["dpkg-deb", "-e", package, target / "DEBIAN"], check=True)
        return target


def _field(stanza: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*)$", stanza, re.MULTILINE)
    return found[1] if found else ""


def _needs(stanza: str) -> list[str]:
    return re.findall(r"[a-z0-9][a-z0-9+.-]+(?= *[(,|]|$)", _field(stanza, "Depends"))


def receive(release: str, kernel: str, cache: Path) -> Archive | None:
    """Get the components of a release that fit a kernel; None if there is no mirror.

    What was received before is taken from `cache`; what a mirror lacked is asked for again.
    """
    base = mirror()
    if base is None:
        return None
    folder = cache / f"udebs-{release}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        index = _get(f"{base}dists/{SUITES[release][1]}/main/debian-installer/binary-amd64/Packages.xz")
    except OSError:
        return None
    if index is None:
        return None
    listed: dict[str, str] = {}
    providers: dict[str, list[str]] = {}
    for stanza in lzma.decompress(index).decode().split("\n\n"):
        if _field(stanza, "Kernel-Version") in ("", kernel):
            name = _field(stanza, "Package")
            listed[name] = stanza
            for other in _field(stanza, "Provides").replace(",", " ").split():
                providers.setdefault(other, []).append(name)
    wanted = {n: s for n, s in listed.items() if _field(s, "Priority") in NEEDED or n in MORE}
    waiting = list(wanted)
    while waiting:
        needs = _needs(listed[waiting.pop()])
        # What several components provide is a choice of the installer's.
        only = [providers[n][0] for n in needs if n not in listed and len(providers.get(n, ())) == 1]
        for name in [n for n in needs if n in listed] + only:
            if name not in wanted:
                wanted[name] = listed[name]
                waiting.append(name)

    def one(stanza: str) -> bool:
        file, digest = _field(stanza, "Filename"), _field(stanza, "SHA256")
        path = folder / file.rsplit("/", 1)[1]
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return True
        data = _get(base + file)
        if data is None:
            return False
        assert hashlib.sha256(data).hexdigest() == digest, file
        path.write_bytes(data)
        return True

    with ThreadPoolExecutor(4) as pool:
        there = dict(zip(wanted, pool.map(one, wanted.values()), strict=True))
    return Archive(
        release,
        folder,
        {n: s for n, s in wanted.items() if there[n]},
        tuple(sorted(n for n in wanted if not there[n])),
    )


def trust(ramdisk: Path) -> dict[str, tuple[bytes, int]]:
    """The keyring of an unpacked RAM disk and the key that signs what is served, for the installer."""
    names = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")  # since 13, and before
    keyring = next(p for n in names if (p := ramdisk / "usr/share/keyrings" / n).exists())
    return {"usr/share/keyrings/archive.gpg": (keyring.read_bytes() + KEY.certificate(), 0o644)}


@contextmanager
def served(
    archive: Archive, only: Iterable[str] = (), *, packages: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Serve an archive at `/debian`: its port, and the paths that were asked for.

    Args:
        archive: what to serve.
        only: the components to serve with what they need, as each takes time to unpack; all by default.
        packages: everything else is passed on from the mirror, so that a system can be installed.
    """
    suite, codename = SUITES[archive.release]
    names = archive.with_needs(only or archive.stanzas)
    stanzas = [s for n, s in archive.stanzas.items() if n in names]
    listed = gzip.compress(("\n\n".join(stanzas) + "\n").encode(), mtime=0)
    index = "main/debian-installer/binary-amd64/Packages.gz"
    head = f"Origin: Debian\nSuite: {suite}\nCodename: {codename}\nArchitectures: amd64\nComponents: main\n"
    text = f"{head}SHA256:\n {hashlib.sha256(listed).hexdigest()} {len(listed)} {index}\n".encode()
    # Read by the installer's retriever; debootstrap and apt take InRelease, which is Debian's own.
    files = {f"/debian/dists/{s}/Release": text for s in (suite, codename)}
    files |= {f"/debian/dists/{s}/Release.gpg": KEY.sign(text, KEY.created) for s in (suite, codename)}
    files |= {f"/debian/dists/{s}/{index}": listed for s in (suite, codename)}
    # choose-mirror looks here whether the mirror has the architecture.
    short = f"Archive: {suite}\nComponent: main\nOrigin: Debian\nArchitecture: amd64\n".encode()
    files |= {f"/debian/dists/{s}/main/binary-amd64/Release": short for s in (suite, codename)}
    paths = {f"/debian/{_field(s, 'Filename')}" for s in stanzas}
    base = mirror() if packages else None
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            path = self.path.replace("//", "/")
            data = files.get(path)
            if data is None and path in paths:
                data = (archive.folder / path.rsplit("/", 1)[1]).read_bytes()
            if data is None and base and "/debian-installer/" not in path and path.startswith("/debian/"):
                data = _get(base + path.removeprefix("/debian/"))
            self.send_response(200 if data is not None else 404)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def private_package(name: str, release: str, cache: Path) -> Path | None:
    """The unpacked files of a package of another Debian release, through an apt root of its own; None if not to be had.

    apt verifies the archive's signature with the keys of Debian's own keyring package.
    """
    root = cache / name
    base = mirror()
    keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if root.exists():
        return root
    if base is None or not keys.exists():
        return None
    apt = cache / f"apt-{release}"
    for folder in ("state/lists/partial", "cache/archives/partial", "debs"):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [arch=amd64 signed-by={keys}] {base} {SUITES[release][1]} main\n")
    options = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": apt / "state",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "APT::Architecture": "amd64",
        "Acquire::Languages": "none",
    }
    command = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items())]
    for arguments in (["update"], ["download", name]):
        if subprocess.run([*command, *arguments], cwd=apt / "debs", capture_output=True).returncode:
            return None
    scratch = cache / f"{name}.new"
    shutil.rmtree(scratch, ignore_errors=True)
    (package,) = (apt / "debs").glob(f"{name}_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, scratch], check=True)
    package.unlink()
    try:
        scratch.rename(root)
    except OSError:  # another worker was faster
        shutil.rmtree(scratch)
    return root
