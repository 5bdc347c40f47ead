"""The files of the machine, and the sections that the parts after this one fill."""

import os
import re
import subprocess

LIMIT = 65536
SECONDS = 20

SECTIONS = {}
"""What makes each section of the facts, by its name: a function of the folder that stands for `/`."""


class Tree:
    """The files of a machine below a folder, and, if that is the root, its programs."""

    def __init__(self, root):
        self.root = root
        self.live = os.path.realpath(root) == "/"

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def names(self, *parts):
        """Names in a folder, sorted; none if there is no such folder or it may not be read."""
        try:
            return sorted(os.listdir(self.path(*parts)))
        except OSError:
            return []

    def there(self, *parts):
        return os.path.exists(self.path(*parts))

    def read(self, *parts):
        """Bytes of a small file, or None, and why not."""
        try:
            with open(self.path(*parts), "rb") as file:
                return file.read(LIMIT), None
        except OSError as error:
            return None, error.strerror or str(error)

    def data(self, *parts):
        """Bytes of a small file; none if it cannot be read."""
        return self.read(*parts)[0] or b""

    def text(self, *parts):
        """A file as text, which may be empty, or None if it cannot be read."""
        data, _ = self.read(*parts)
        return None if data is None else data.decode("utf-8", "replace").strip("\0 \t\r\n")

    def line(self, *parts):
        """A file as text that is not empty, or None."""
        return self.text(*parts) or None

    def number(self, *parts):
        text = self.line(*parts) or ""
        return int(text) if re.fullmatch("-?[0-9]{1,18}", text) else None

    def link(self, *parts):
        """The last part of where a link points, or None."""
        try:
            return os.path.basename(os.readlink(self.path(*parts)))
        except OSError:
            return None

    def target(self, *parts):
        """Where a path ends after all links, as the machine itself would say."""
        where = os.path.realpath(self.path(*parts))
        return "/" + os.path.relpath(where, os.path.realpath(self.root))

    def run(self, *argv):
        """What a program prints, or None if it is not there, fails or hangs."""
        if not self.live:
            return None
        env = dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")
        try:
            done = subprocess.run(  # noqa: PLW1510 - its code is looked at
                argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                timeout=SECONDS, env=env,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
