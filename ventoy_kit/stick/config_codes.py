"""Rules of Ventoy's own configuration file on the stick."""

from ventoy_kit.report import Rule, Severity

BROKEN = Rule(
    "VK-V01",
    "ventoy.json can be read by Ventoy",
    "With a broken ventoy.json Ventoy applies no setting at all and waits for a key. The kit does not overwrite it.",
)
SHAPE = Rule(
    "VK-V02",
    "A plugin's entries are a list",
    "Ventoy ignores a plugin whose value has another type.",
)
FULL = Rule(
    "VK-V03",
    "Ventoy replaces at most two files of an image",
    "The first two matching entries of conf_replace count (ventoy.h).",
)
SHADOWED = Rule(
    "VK-V04",
    "An image has one entry per plugin",
    "Of several exact entries for one image Ventoy takes the last one of the file.",
    Severity.WARNING,
)
HIDDEN = Rule(
    "VK-V05",
    "The images of the fleet are listed by Ventoy",
    "image_list, VTOY_DEFAULT_SEARCH_ROOT and VTOY_MAX_SEARCH_LEVEL decide which images Ventoy's menu shows.",
    Severity.WARNING,
)
LIMIT = Rule(
    "VK-V06",
    "The menu entries keep to Ventoy's limits",
    "Ventoy decodes no escape in its JSON, cuts paths, aliases and tips off at fixed lengths, takes `*` in a path for any "
    "character, and pastes an alias unquoted into its menu (ventoy_json.c, ventoy_def.h, ventoy_cmd.c).",
)
