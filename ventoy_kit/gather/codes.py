"""Rules of what is gathered: data folders and secrets."""

from ventoy_kit.report import Rule, Severity

BROKEN_FOLDER = Rule(
    "VK-G01",
    "Files of the data folders are UTF-8 text",
    "answer_files, hooks and bios_profiles hold text files only.",
)
OVERRIDE = Rule(
    "VK-G02",
    "The user's data folders are shown",
    "A folder or file of the same name beside the fleet file takes the place of the one that comes with the kit.",
    Severity.NOTE,
)
NO_FLEET_FILE = Rule(
    "VK-G03",
    "There is a fleet file",
    "Commands look for `fleet.yaml` in the current folder unless --fleet names another file.",
)
SECRET_MISSING = Rule(
    "VK-X01",
    "A secret that is in use can be read",
    "Secrets are named in the fleet file and come from an environment variable, a file, a program or the keyboard.",
)
SECRET_SHORT = Rule(
    "VK-X02",
    "A root password has at least 8 bytes",
    "The Proxmox installer refuses shorter ones since release 8.4, for clear passwords; a hash cannot be checked there.",
)
SECRET_SHAPE = Rule(
    "VK-X03",
    "A secret is one line, and a ready hash is one of crypt(3)",
    "A value that begins with `$` is taken as a ready hash: sha512-crypt ($6$) or yescrypt ($y$). Any other is a "
    "password in clear: one line of UTF-8 text that can be typed at a login prompt.",
)
SECRET_OPEN = Rule(
    "VK-X04",
    "A file with a secret is readable by its owner alone",
    "Other users of this machine could read it. `chmod 600 FILE` mends it.",
    Severity.WARNING,
)
SECRET_GUESSABLE = Rule(
    "VK-X05",
    "A password is not one of those that are tried first",
    "Common words, names of the fleet and runs of digits are guessed within the first attempts of whoever finds the "
    "login or the hash on the stick. The message says why, and nothing of the password.",
    Severity.WARNING,
)
