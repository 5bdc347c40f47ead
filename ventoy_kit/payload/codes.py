"""Rules of the rendered bytes. They look at what was rendered, since a template of the user can change what dies."""

from ventoy_kit.report import Rule

ANSWER_UNSAFE = Rule(
    "VK-W01",
    "An answer that the kit renders leaves the choice of the disk to the boot hook",
    "The Proxmox answer holds the placeholder as its only disk and no filter; the Debian ticket holds nothing that "
    "partitions, and the answers name the placeholder as the only disk. A template beside the fleet file broke that.",
)
TEMPLATE = Rule(
    "VK-W02",
    "A template renders",
    "Templates are Jinja with undefined names as errors, in a sandbox. What `base.toml` adds to an answer must be "
    "known to the installer, which refuses unknown keys, and options of another filesystem.",
)
TEMPLATE_MISSING = Rule(
    "VK-W03",
    "An answer family has its files",
    "An `answer_files/FAMILY/` folder beside the fleet file takes the place of the shipped one as a whole.",
)
PRESEED_LINE = Rule(
    "VK-W04",
    "A preseed line has owner, name, type and value",
    "The installer's reader takes a comment after blanks for an answer, joins a line that ends with a backslash to the "
    "next one, turns a literal backslash-n into a new line when it saves its database, and takes unknown types.",
)
RUNNER_SIZE = Rule(
    "VK-W05",
    "A first-boot runner is at most 1 MiB",
    "The Proxmox installer cuts off what is longer, without a word.",
)
PATH_LENGTH = Rule(
    "VK-W06",
    "A path on the stick has at most 240 bytes",
    "Ventoy cuts plugin paths at 255 bytes, and tests them with a prefix.",
)
