"""Write ventoy_kit/answers/debian_questions.py anew: names, types and choices of the Debian installer's questions.

    python scripts/make_questions.py CACHE

Read from the templates of the netboot packages of Debian 12 and 13 and of those installer components that apt's mirror
has. Only facts are kept: name, type, the choices where they are fixed, and the releases in which it was seen.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.conftest import _package
from tests.support.debian_archive import private_package, receive
from tests.support.debian_templates import initrd, questions

TARGET = Path(__file__).parent.parent / "ventoy_kit/answers/debian_questions.py"
HEAD = '''"""The questions of the Debian installer, written by scripts/make_questions.py.

Read from the templates of the netboot packages of Debian 12 and 13 and of those installer components that a mirror
has. Parted by `|`: name, releases, type, and the choices where they are fixed.
"""

TABLE = """\\
'''
NOISE = (
    "tzsetup/country/",
    "localechooser/countrylist/",
    "localechooser/shortlist/",
    "localechooser/translation/",
)


def main() -> None:
    cache = Path(sys.argv[1])
    seen: dict[str, dict[str, object]] = {}
    for release in ("12", "13"):
        name = f"debian-installer-{release}-netboot-amd64"
        package = _package(name) if release == "12" else private_package(name, release, cache)
        assert package is not None, name
        with tempfile.TemporaryDirectory() as folder:
            root = initrd(package, release, Path(folder) / "root")
            kernel = next((root / "lib/modules").iterdir()).name
            archive = receive(release, kernel, cache)
            assert archive is not None
            for question in questions(root, archive, Path(folder)).values():
                if question.name.startswith(NOISE):
                    continue
                entry = seen.setdefault(question.name, {"type": question.type})
                if question.choices and question.type in ("select", "multiselect"):
                    entry["choices"] = sorted({*entry.get("choices", ()), *question.choices})  # type: ignore[misc,call-overload]
                entry["releases"] = [*entry.get("releases", ()), release]  # type: ignore[misc,call-overload]
    rows = (
        "|".join((name, "+".join(entry["releases"]), entry["type"], ", ".join(entry.get("choices", ()))))  # type: ignore[arg-type,call-overload]
        for name, entry in sorted(seen.items())
    )
    TARGET.write_text(HEAD + "".join(f"{row}\n" for row in rows) + '"""\n')


main()
