"""Rules of the use cases themselves."""

from ventoy_kit.report import Rule

NO_SUCH_RULE = Rule(
    "VK-U01", "A rule that is asked for exists", "`docs/reference/rules.md` lists all of them."
)
NO_SUCH_NODE = Rule(
    "VK-U02", "A node that is asked for is in the fleet", "Nodes are named as in the fleet file."
)
EXISTS = Rule(
    "VK-U03",
    "A file of the user is not overwritten",
    "`init` and `demo` write into a place where nothing is yet.",
)
NOT_WRITABLE = Rule(
    "VK-U04",
    "A folder to write to can be written to",
    "The folder of the fleet file receives `build/` and `.ventoy-kit/`; `init` and `--create` write where they are told.",
)
NO_SUCH_IMAGE = Rule(
    "VK-U06", "An image that is asked for is in the fleet", "Images are named as in the fleet file."
)
NO_SUCH_RELEASE = Rule(
    "VK-U09", "A release that is asked for is one", "Releases are written as `9.2` or `9.2-1`."
)
CHOICE = Rule(
    "VK-U05",
    "A question has an answer",
    "Without a terminal nobody can answer; then the command refuses. `--yes` answers beforehand.",
)
OUTPUT_NAME = Rule(
    "VK-U07",
    "An output file ends as its form does",
    "`.txt`, `.md`, `.html`, `.pdf` or `.svg`: so no file of another kind is ever overwritten, and programs know what it is.",
)
OUTPUT_FOLDER = Rule(
    "VK-U10",
    "The folder of an output exists",
    "`--output` makes no folders on the way to a file, since a mistyped path would leave them behind. Of a name that ends in "
    "a slash, the last folder is made.",
)
NO_PDF = Rule(
    "VK-U08",
    "PDF files need the extra `pdf` of the package",
    "WeasyPrint makes them from the same HTML that a browser prints; it draws text with the system's Pango library.",
)

NO_SUCH_HOOK = Rule(
    "VK-U30", "A hook that is asked for exists", "`ventoy-kit hooks list` shows the kit's hooks and yours."
)
DRIFT = Rule(
    "VK-U31",
    "A node is as its hooks made it",
    "`hooks verify` runs each hook's verify on the node, with the parameters that the fleet file gives now.",
)
UNVERIFIED = Rule(
    "VK-U32",
    "Every hook of a node can be verified",
    "A verify that takes too long or lacks a program says nothing about the node, so it counts as neither right nor wrong.",
)
NODE_SILENT = Rule(
    "VK-U33",
    "Every node that is asked can be reached",
    "The nodes that answered are shown all the same. With no answer at all the command fails.",
)
