"""The rules that installer images must obey. Codes are stable; `explain` is what `check --explain` prints."""

from __future__ import annotations

from ventoy_kit.report import Rule, Severity

NOT_AN_ISO = Rule(
    code="VK-I01",
    title="An image is an ISO 9660 file",
    explain=(
        "An image must be an ISO 9660 file as its vendor publishes it. A web page saved under the name of an ISO, "
        "an archive that still has to be unpacked, or a damaged download cannot be read as one."
    ),
)

UNREADABLE = Rule(
    code="VK-I02",
    title="An image file can be read",
    explain=(
        "The path of an image must name an ordinary file that the user who runs ventoy-kit may read. "
        "A folder, a device or a file of another user is refused."
    ),
)

TRUNCATED = Rule(
    code="VK-I03",
    title="An image file is whole",
    explain=(
        "The volume descriptor of an ISO says how large the volume is. A smaller file is an unfinished download "
        "or copy; it may boot and fail in the middle of an installation, when the disk is already wiped."
    ),
)

ODD_SIZE = Rule(
    code="VK-I04",
    title="An image file is as long as its volume, or a multiple of 2048 bytes",
    explain=(
        "Ventoy compares the size of an image with the size its volume claims. When they differ and the file is no "
        "multiple of 2048 bytes, it takes the file for damaged and waits for a key at boot, so nothing happens "
        "unattended. Vendors' images never look like that; something was appended to the file."
    ),
)

NOT_BOOTABLE = Rule(
    code="VK-I05",
    title="An image can boot",
    explain="A bootable ISO has an El Torito boot catalog with an entry for BIOS or UEFI. This one has neither.",
)

CONTRADICTION = Rule(
    code="VK-I06",
    title="An image says the same thing everywhere",
    explain=(
        "An installer image names its product and release in several places. If they disagree, or if files are "
        "missing that this installer needs to find its own medium, the image is damaged or was put together by hand, "
        "and no promise can be made about what it installs."
    ),
)

PREPARED = Rule(
    code="VK-I07",
    title="No image wipes by itself",
    explain=(
        "The image carries an answer for an unattended installation: on any machine that boots it, it wipes a disk "
        "without asking. ventoy-kit stages images only as their vendor published them and hands each node its answer "
        "at boot, after it has compared the machine with the fleet file."
    ),
)

VENTOY_COMPATIBLE = Rule(
    code="VK-I08",
    title="An image leaves Ventoy's boot hooks on",
    explain=(
        "An image with a file ventoy.dat in its root declares that it deals with Ventoy by itself. Ventoy then leaves "
        "its initramfs alone, so neither an answer nor the checks before it would ever run."
    ),
)

WRONG_PRODUCT = Rule(
    code="VK-I09",
    title="An image holds the product that it is named for",
    explain=(
        "What an image is gets decided by its contents, never by its file name. "
        "The image named in the fleet file must hold the product of that name."
    ),
)

TOO_OLD = Rule(
    code="VK-I10",
    title="An image's release is one that the kit knows",
    explain=(
        "Answers are written for installers that know their keys and for boot files that were examined: Proxmox VE "
        "from 8.4, Backup Server from 3.4, Mail Gateway from 9.0 (keys spelt with hyphens, first-boot scripts) and "
        "Debian from 12. An older installer would refuse the answer or, worse, ignore a part of it."
    ),
)

NO_AUTOMATION = Rule(
    code="VK-I11",
    title="A node's image can install unattended",
    explain=(
        "A Proxmox image that supports automated installation says so with the file /auto-installer-capable; "
        "a Debian image needs the Debian installer, not only a live system."
    ),
)

UNKNOWN_MENU = Rule(
    code="VK-I12",
    title="An image's boot menu is built as expected",
    explain=(
        "The menu that Ventoy shows in place of the image's own is derived from that very file, by changing the few "
        "lines that matter. If the file is not built as expected, nothing is guessed: a wrong default could start an "
        "installation that nobody asked for."
    ),
)

STAND_IN_USED = Rule(
    code="VK-I14",
    title="A stand-in is for the demo and the tests",
    explain=(
        "This is a demo: the image is a stand-in that cannot boot. "
        "A stick for real machines needs the vendor's image in its place."
    ),
    severity=Severity.WARNING,
)

OWN_BIOS_MENU = Rule(
    code="VK-I15",
    title="A node boots in UEFI mode",
    explain=(
        "The image uses isolinux when the machine boots in BIOS mode, and the derived menu applies to UEFI only. "
        "Debian's isolinux menu starts an installation with speech output after half a minute; that one asks all its "
        "questions, and a node's answer still asks for the node's name."
    ),
    severity=Severity.NOTE,
)
