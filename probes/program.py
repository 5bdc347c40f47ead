"""The last part of a probe: it prints every section that the parts before it fill."""

import argparse
import json
import sys

from tree import SECTIONS


def main():
    parser = argparse.ArgumentParser(
        description="Print what Linux shows of this machine, as one line of JSON. Reads only. Root sees more than"
        " other users."
    )
    parser.add_argument(
        "--root",
        default="/",
        metavar="FOLDER",
        help="look at a copy of /sys, /proc, /dev and /run below this folder",
    )
    root = parser.parse_args().root
    facts = {name: collect(root) for name, collect in SECTIONS.items()}
    sys.stdout.write(json.dumps(dict(facts, format=1), sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
