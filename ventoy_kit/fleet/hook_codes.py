"""Rules of hooks: their folders (VK-H0x) and the parameters that a fleet file gives them (VK-H1x).

What hook.yaml has in common with a fleet file (YAML, unknown and missing keys, types) is found by the rules VK-Yxx
and VK-Sxx of codes.py.
"""

from ventoy_kit.report import Rule, Severity

MISSING_FILE = Rule(
    "VK-H01",
    "A hook folder holds hook.yaml and hook.sh",
    "hook.yaml says what the hook is and takes, hook.sh does it. hooks/README.md shows both on one page.",
)
UNUSED_FILE = Rule(
    "VK-H02",
    "Everything in a hook folder is used",
    "Only hook.yaml and hook.sh reach a node (README.md is for people). Another file would be missing there.",
    Severity.WARNING,
)
NAME = Rule(
    "VK-H03",
    "A hook's folder name is a plain name",
    "The name becomes part of file names and stamps on the node: lower-case letters, digits and inner hyphens, at most "
    "32 characters. Folders that begin with an underscore are not hooks.",
)
SCRIPT = Rule(
    "VK-H04",
    "A hook script can be carried and run",
    "hook.sh is copied byte for byte into a shell script and started by its first line, so it is UTF-8 text without "
    "NUL and carriage returns, begins with #! and an absolute path, and ends with a line end.",
)
TRACE = Rule(
    "VK-H05",
    "A hook script does not trace itself",
    "`set -x` writes every command with its parameters, secrets among them, to the journal and to a log file.",
)
PARAMETER_SPEC = Rule(
    "VK-H06",
    "A parameter's declaration makes sense",
    "Limits and patterns belong to certain types, an enum needs choices, and a default obeys the parameter's own rules.",
)
AFTER_LOOP = Rule(
    "VK-H07",
    "Hooks do not wait for each other in a circle",
    "`after` names hooks that must have succeeded first; in a circle none could ever start.",
)
REQUIRED_HOOK = Rule(
    "VK-H08",
    "A hook is chosen together with those that it needs",
    "`requires` in a hook.yaml names hooks without which it cannot do its work on any node.",
)

UNKNOWN_PARAMETER = Rule(
    "VK-H11",
    "A hook knows its parameters",
    "hook.yaml declares every parameter; a mistyped one would be a wish that nobody hears.",
)
PARAMETER_TYPE = Rule(
    "VK-H12", "A parameter has its declared type", "hook.yaml declares the type of each parameter."
)
PARAMETER_MISSING = Rule(
    "VK-H13", "Required parameters are given", "hook.yaml declares which parameters have no sensible default."
)
PARAMETER_VALUE = Rule(
    "VK-H14",
    "A parameter's value is one that the hook accepts",
    "hook.yaml declares choices, limits and a pattern, which the whole value must match.",
)
PARAMETER_TEXT = Rule(
    "VK-H15",
    "A parameter's value can reach the hook",
    "Values travel as environment variables: text without NUL and without lone surrogates, at most 100,000 bytes of "
    "UTF-8 each (Linux allows 128 KiB). Items of a list are joined by line ends, so they hold none.",
)
PARAMETER_NAME = Rule(
    "VK-H16",
    "A parameter names what the fleet file declares",
    "A parameter of the type `nic`, `disk`, `pool` or `gpu` names one of its own node, `node` and `network` one of the "
    "fleet. Under `defaults.hooks` that must hold for every node.",
)
FACTS_SIZE = Rule(
    "VK-H17",
    "A table of facts can reach the hook",
    "Facts travel as environment variables like parameters: at most 100,000 bytes each.",
)
