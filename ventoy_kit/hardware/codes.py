"""Rules of BIOS profiles."""

from ventoy_kit.report import Rule

BAD_PROFILE = Rule(
    "VK-P01",
    "A BIOS profile is well-formed",
    "A profile is a YAML file in `bios_profiles/`: title, keys, settings, and `inherits` for the profiles it builds on. "
    "The file's name is the profile's name.",
)
PROFILE_PARENT = Rule(
    "VK-P02",
    "A BIOS profile inherits from one that exists, without a circle",
    "`inherits` names other files of `bios_profiles/` without their ending: one, or a list. A profile that builds on a "
    "broken one is left out as well.",
)
INCOMPLETE_SETTING = Rule(
    "VK-P03",
    "A setting of a BIOS profile says what to set and why",
    "Keys of a setting that a profile leaves out are inherited by the setting's `id`. After that every setting has "
    "`want` and `why`. Where a menu path is given, `label` and `source` are those of the same file, never inherited: "
    "they speak of one screen.",
)
