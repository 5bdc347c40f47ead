"""Rules of what `ventoy-kit bios` finds on a machine."""

from ventoy_kit.report import Rule, Severity

NO_SUCH_PROFILE = Rule(
    "VK-L01",
    "The name is that of a node or of a BIOS profile",
    "`bios show` and `bios export` take a node of the fleet file, whose `model` names its profile, or a profile.",
)
NOTHING_TO_EXPORT = Rule(
    "VK-L02",
    "A profile has settings that the vendor's tool knows",
    "A file for Dell's cctk is made of the settings that name an attribute of the driver dell-wmi-sysman, since both use "
    "the same names.",
)
FACTS_UNREADABLE = Rule(
    "VK-L03",
    "Facts for `bios check` hold what the probe prints of the firmware",
    'They are the JSON document of `ventoy-kit bios probe`, run on the machine: `{"format": 1, "firmware": {...}}`.',
)
OTHER_MACHINE = Rule(
    "VK-L04",
    "The machine that was looked at is the node",
    "Serial number and UUID of the facts are compared with the node's `identity`. Settings of another machine say nothing "
    "about this node.",
)
IDENTITY_UNREAD = Rule(
    "VK-L05",
    "The machine says which one it is",
    "Only root may read the serial number and the UUID from Linux. Without them nobody knows whose settings were read.",
    Severity.WARNING,
)
OTHER_MODEL = Rule(
    "VK-L06",
    "The profile is that of the machine's model",
    "A profile names what the firmware calls the product. A different product has other menus and other settings.",
    Severity.WARNING,
)
SETTING_WRONG = Rule(
    "VK-L07",
    "A required firmware setting is as the profile wants it",
    "Without it the installation or the node's work fails. ventoy-kit changes no firmware setting; it says where to.",
)
SETTING_POOR = Rule(
    "VK-L08",
    "An advised firmware setting is as the profile wants it",
    "The installation works without it; the profile says what is worse then.",
    Severity.WARNING,
)
VALUES_UNREAD = Rule(
    "VK-L09",
    "The values of firmware attributes can be read",
    "The drivers let only root read current values. Without them a setting is unknown unless something else shows it.",
    Severity.WARNING,
)
NO_ATTRIBUTES = Rule(
    "VK-L10",
    "A driver for firmware attributes shows some",
    "Some firmware versions offer the interface with nothing in it (seen with a Latitude 5520, BIOS 1.51.0). That says "
    "nothing about the settings.",
    Severity.WARNING,
)
CHANGE_PENDING = Rule(
    "VK-L11",
    "No change of the firmware waits for a restart",
    "What the attributes show then is not yet in force.",
    Severity.WARNING,
)
SETTING_UNKNOWN = Rule(
    "VK-L12",
    "Every required firmware setting is known",
    "Linux does not show every setting of every machine. What is unknown is neither right nor wrong: a person has to look.",
    Severity.WARNING,
)
