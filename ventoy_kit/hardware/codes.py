"""Rules of BIOS profiles."""

from ventoy_kit.report import Rule

BAD_PROFILE = Rule(
    "VK-P01",
    "A BIOS profile is well-formed",
    "A profile is a YAML file in `bios_profiles/`: title, keys, settings, and `inherits` for the profile it builds on. "
    "The file's name is the profile's name.",
)
PROFILE_PARENT = Rule(
    "VK-P02",
    "A BIOS profile inherits from one that exists, without a circle",
    "`inherits` names another file of `bios_profiles/` without its ending.",
)
