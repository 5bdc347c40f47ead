"""An archive of Debian packages in a folder, signed by a key of the test, with a small netboot package in it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.pgp import Key, armour
from tests.support.vendors import BEGAN, MADE

PACKAGE = "debian-installer-13-netboot-amd64"
FIRST, SECOND = "20250803+deb13u1", "20250803+deb13u2"
MENU = """\
menuentry 'Install' {
    linux    /debian-installer/amd64/linux vga=788 --- quiet
    initrd   /debian-installer/amd64/initrd.gz
}
"""


@dataclass
class Archive:
    """`publish` writes it anew.

    Attributes:
        folder: where.
        key: what signs the index.
        version: of the package.
        without: files of the package to leave out, by the end of their path.
        fields: further fields of the index, or others in the place of the usual ones.
    """

    folder: Path
    key: Key = field(default_factory=lambda: Key("Archive <archive@example.org>", BEGAN))
    version: str = FIRST
    at: datetime = MADE
    without: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def index(self) -> Path:
        return self.folder / "dists/trixie"

    @property
    def packages(self) -> Path:
        return self.index / "main/binary-amd64/Packages"

    @property
    def deb(self) -> Path:
        return self.folder / f"pool/{PACKAGE}_{self.version}_all.deb"

    def publish(self) -> None:
        """Everything as an honest archive has it."""
        if not self.deb.exists():
            self.build()
        data = self.deb.read_bytes()
        self.packages.parent.mkdir(parents=True, exist_ok=True)
        self.packages.write_text(
            f"Package: other\nVersion: 1\nArchitecture: all\nFilename: pool/other.deb\nSize: 1\nSHA256: {'0' * 64}\n\n"
            f"Package: {PACKAGE}\nVersion: {self.version}\nArchitecture: all\nMaintainer: Test <t@example.org>\n"
            f"Filename: pool/{self.deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
            "Description: a test\n\n"
        )
        self.sign()

    def release(self) -> bytes:
        data = self.packages.read_bytes()
        fields = {
            "Origin": "Debian",
            "Label": "Debian",
            "Suite": "stable",
            "Codename": "trixie",
            "Date": self.at.strftime("%a, %d %b %Y %H:%M:%S UTC"),
            "Architectures": "all amd64",
            "Components": "main",
        } | self.fields
        lines = [f"{name}: {value}" for name, value in fields.items()]
        lines += ["SHA256:", f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-amd64/Packages"]
        return "\n".join(lines).encode()

    def sign(self, **options: Any) -> None:
        """Write the index over the list of packages as it is."""
        text = self.release()
        signature = armour(self.key.sign(text, self.at, text=True, **options))
        head = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
        (self.index / "InRelease").write_bytes(head + text + b"\n" + signature)

    def build(self) -> None:
        root = self.folder / "root"
        base = root / "usr/lib/debian-installer/images/13/amd64/text"
        inner = base / "debian-installer/amd64"
        files = {
            base / "version.info": f"Installer build: {self.version}\n",
            inner / "linux": f"a kernel {self.version}\n" * 1000,
            inner / "initrd.gz": "an initial RAM disk\n" * 5000,
            inner / "bootnetx64.efi": "a shim\n",
            inner / "grubx64.efi": "a GRUB\n",
            inner / "grub/grub.cfg": MENU,
            inner / "grub/font.pf2": "a font\n",
            inner / "grub/x86_64-efi/play.mod": "a module\n",
            inner / "boot-screens/splash.png": "a picture\n",
            root / "DEBIAN/control": f"Package: {PACKAGE}\nVersion: {self.version}\nArchitecture: all\n"
            "Maintainer: Test <t@example.org>\nDescription: a test\n",
        }
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if not path.as_posix().endswith(self.without or "\0"):
                path.write_text(text)
        self.deb.parent.mkdir(parents=True, exist_ok=True)
        environment = {
            "SOURCE_DATE_EPOCH": str(int(MADE.timestamp())),
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        }
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-b", str(root), str(self.deb)],
            env=environment,
            check=True,
            capture_output=True,
        )

    def entry(self, *, mirrors: list[str] | None = None, **changes: Any) -> str:
        """The catalog entry as YAML; JSON is YAML."""
        entry: dict[str, Any] = {
            "title": "Debian netboot",
            "kind": "installer",
            "product": "debian",
            "homepage": "https://example.org/",
            "source": "apt",
            "apt": {
                "recipe": "debian-netboot",
                "series": {"13": {"package": PACKAGE, "suite": "trixie"}},
                "host": False,
                "mirrors": mirrors or [f"file:{self.folder}"],
            },
            "file": "debian-{release}-amd64-netboot.iso",
            "version": r"\d+-\d{8}-deb\d+u\d+",
            "keys": [
                {
                    "fingerprint": self.key.fingerprint,
                    "name": "Archive",
                    "file": f"keys/{self.key.fingerprint}.asc",
                    "origin": "made by the test",
                }
            ],
            "max_size": "64 MiB",
        }
        return json.dumps(entry | changes)

    def describe(self, catalog: Path, **changes: Any) -> None:
        """Write the catalog entry `debian-netboot` and the key's certificate."""
        (catalog / "keys").mkdir(parents=True, exist_ok=True)
        (catalog / "debian-netboot.yaml").write_text(self.entry(**changes))
        certificate = armour(self.key.certificate(), "PUBLIC KEY BLOCK")
        (catalog / "keys" / f"{self.key.fingerprint}.asc").write_bytes(certificate)
