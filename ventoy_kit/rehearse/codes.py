"""The rules of rehearsals. Codes are stable; `explain` is what `check --explain` prints."""

from __future__ import annotations

from ventoy_kit.report import Rule, Severity

FAILED = Rule(
    code="VK-Y40",
    title="A rehearsal goes as the fleet file says",
    explain=(
        "The node's virtual twin was started and did not do what was expected of it: it was refused, asked something, "
        "stood still, or wrote to a disk that is none of its business. The report holds the console's text and the last "
        "screen."
    ),
)

UNSAFE = Rule(
    code="VK-Y41",
    title="A rehearsal leaves other disks alone",
    explain=(
        "A disk of the twin changed that is no system disk of the node, or a start that had to be refused was not. "
        "On the real machine this would have cost data: do not use the stick."
    ),
)

STAND_IN = Rule(
    code="VK-Y42",
    title="A stand-in is rehearsed with a kernel from elsewhere",
    explain=(
        "A stand-in holds no kernel, so the boot overlay is rehearsed with another one, under an init that follows the "
        "installer's own. It proves the overlay, the answer, the first-boot runner and the identity, and nothing of "
        "the installer. `--kernel` names the folder of an unpacked Debian kernel package, or `/` for this machine's "
        "own kernel. A stand-in of Debian cannot be rehearsed at all: its answers are taken by the installer itself."
    ),
)

NO_ENTRY = Rule(
    code="VK-Y43",
    title="The image starts as its own menu says",
    explain=(
        "A rehearsal by direct boot starts the kernel and the RAM disk of the entry that an armed stick would start. "
        "They must be named there plainly, be on the image, and hold an init that can be read."
    ),
)

NO_DELIVERY = Rule(
    code="VK-Y44",
    title="What is rehearsed installs a node",
    explain="A node is rehearsed with the image that it installs from; one without an answer has nothing to rehearse.",
)

NO_STAGE = Rule(
    code="VK-Y45",
    title="A rehearsal ends at a stage that exists",
    explain="`--until` takes the id of a stage; the message lists those of the node's installer.",
)

NO_STICK = Rule(
    code="VK-Y46",
    title="A stick that is rehearsed can be read",
    explain=(
        "`--stick` names a disk image or a block device that holds Ventoy. It is opened for reading, and what the twin "
        "writes to it is thrown away."
    ),
)

MIRROR = Rule(
    code="VK-Y47",
    title="A mirror can be led into the twin's network",
    explain=(
        "The twin's network leads nowhere but to the mirror that `--mirror` names, `http://HOST[:PORT]/PATH`. The path "
        "must be the one that the node's answers name."
    ),
)

ALONE = Rule(
    code="VK-Y48",
    title="A twin is made of recorded facts",
    explain=(
        "Without recorded facts the twin is what the fleet file says, so it cannot contradict it: a wrong serial number "
        "or address stays unseen until somebody stands at the rack."
    ),
    severity=Severity.NOTE,
)

NO_NIC = Rule(
    code="VK-Y49",
    title="The machine has the interface that carries the node's address",
    explain=(
        "The recorded machine has no interface with the address that the fleet file declares for the node's network, so "
        "the installer would find none and stop. It is seen without a start of the twin."
    ),
)

USELESS = Rule(
    code="VK-Y50",
    title="An option of a rehearsal does something",
    explain=(
        "`--kernel` is for stand-ins alone, and `--mirror` for installers that load parts of themselves over the network. "
        "Given for other nodes they would change nothing, and somebody would believe that they had."
    ),
)

NOT_KEPT = Rule(
    code="VK-Y51",
    title="The report of a rehearsal is kept",
    explain="The rehearsal ended, but its report could not be written. What the command prints is all that there is of it.",
)
