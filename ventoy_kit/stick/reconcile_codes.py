"""Rules of a stage: what is wanted against what is found on the stick."""

from ventoy_kit.report import Rule, Severity

IN_THE_WAY = Rule(
    "VK-Z01",
    "A file of the user is never overwritten",
    "At the place of an ISO lies a file that the kit did not put there and whose bytes are others.",
)
NO_SPACE = Rule(
    "VK-Z02",
    "Everything fits before the first byte is written",
    "A file is written beside the one that it replaces, so that the stick holds the old set or the new one at any "
    "moment; so both need room for a while.",
)
FILE_TOO_LARGE = Rule(
    "VK-Z03",
    "A file fits the file system",
    "FAT32 holds files below 4 GiB. Ventoy's own choice for its data partition is exFAT.",
)
STAND_IN = Rule(
    "VK-Z04",
    "A stand-in is never staged onto a stick",
    "Stand-ins are for the demo and the tests; they cannot boot. They are accepted in a folder or a disk image file.",
)
FOREIGN_MANIFEST = Rule(
    "VK-Z05",
    "The manifest on the stick can be read",
    "The kit knows by its manifest what it owns on a stick. It removes nothing that it cannot prove to own.",
)
STALE_BUILD = Rule(
    "VK-Z06",
    "What is staged is what was built from the fleet file as it is",
    "`stage` writes what `build` made, so that what was looked at is what lands on the stick.",
)
NO_BUILD = Rule(
    "VK-Z07",
    "There is a build to stage",
    "`ventoy-kit build` renders the payload into the folder `build/` beside the fleet file.",
)
BUILD_CHANGED = Rule(
    "VK-Z08",
    "The build is as it was made",
    "A file of the build folder, or an ISO it refers to, has other bytes than the build recorded.",
)
OTHER_FLEET = Rule(
    "VK-Z09",
    "Another fleet's entries are left alone",
    "A stick can carry several fleets; each has its own folder and manifest.",
    Severity.NOTE,
)
CHANGED = Rule(
    "VK-Z10",
    "An ISO that was changed since it was staged is left alone",
    "The kit removes nothing that it cannot prove to own: an ISO whose size or digest is not the recorded one is taken "
    "for a file of the user.",
    Severity.NOTE,
)
OBSTRUCTED = Rule(
    "VK-Z11",
    "The way to a file is made of folders",
    "A symbolic link could lead away from the target, and where a folder stands no file can be written. The kit "
    "follows and replaces neither.",
)
RECOGNISED = Rule(
    "VK-Z12",
    "Without a manifest only what nobody else makes is taken off",
    "Files in the fleet's generation folders, the menu entries that name them, and checklists whose name holds a digest "
    "are the kit's beyond doubt. Who put an image file there nobody can say, so it stays.",
    Severity.WARNING,
)
