"""Facts of a machine's firmware as the probe records them (`probes/firmware.py`), and how the vendors' drivers spell values. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ventoy_kit.hardware import firmware_codes as codes
from ventoy_kit.hardware.facts_document import NoFactsError, damage, facts_of, section_of
from ventoy_kit.report import Place, Report


class _Facts(BaseModel):
    """Frozen; keys that are not known here are passed over, since other probes and later ones tell more."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class AttributeFacts(_Facts):
    """One firmware attribute. `current` is None where it could not be read, `error` then says why."""

    type: str | None = None
    label: str | None = None
    current: str | None = None
    error: str | None = None
    possible: str | None = None


class Interface(_Facts):
    """One driver's attributes. `pending` is "1" after a write, `passwords` names those that are set."""

    driver: str
    pending: str | None = None
    passwords: tuple[str, ...] = Field((), strict=False)
    settings: dict[str, AttributeFacts] = Field(default_factory=dict)


class Cpu(_Facts):
    """The first processor; of its flags only vmx, svm and hypervisor."""

    vendor: str | None = None
    model: str | None = None
    flags: tuple[str, ...] = Field((), strict=False)


class Iommu(_Facts):
    """IOMMU as the kernel uses it: number of groups, units by name, words of the command line about it."""

    groups: int = 0
    units: tuple[str, ...] = Field((), strict=False)
    parameters: tuple[str, ...] = Field((), strict=False)


class PciDevice(_Facts):
    """A controller for disks or displays; class, vendor and device as sysfs writes them (`0x010802`)."""

    address: str
    kind: str = Field("", alias="class")
    vendor: str | None = None
    device: str | None = None
    driver: str | None = None
    boot_vga: str | None = None
    remapped_nvme: str | None = None


class MemoryController(_Facts):
    """A memory controller that EDAC watches."""

    name: str | None = None
    modes: tuple[str, ...] = Field((), strict=False)


class FirmwareFacts(_Facts):
    """The section `firmware` of the facts. None is for what could not be looked at, as against what is not there.

    `efi_variables` holds variables as hex, attributes' four bytes first. `rtc` and `clock` are seconds since 1970.
    """

    root: bool = False
    kernel: str | None = None
    uefi: bool | None = None
    dmi: dict[str, str | None] = Field(default_factory=dict)
    efi_variables: dict[str, str | None] | None = None
    attributes: tuple[Interface, ...] = Field((), strict=False)
    cpu: Cpu = Cpu()
    kvm: bool = False
    iommu: Iommu = Iommu()
    acpi_tables: tuple[str, ...] | None = Field(None, strict=False)
    pci: tuple[PciDevice, ...] | None = Field(None, strict=False)
    edac: tuple[MemoryController, ...] = Field((), strict=False)
    tpm: tuple[str | None, ...] = Field((), strict=False)
    rtc: str | None = None
    clock: int | None = None

    def variable(self, name: str) -> bytes | None:
        """The data of an EFI variable without its attributes; None if it is not there or is no variable."""
        try:
            raw = bytes.fromhex((self.efi_variables or {}).get(name) or "")
        except ValueError:
            return None
        return raw[4:] if len(raw) > 4 else None

    def dmi_text(self, name: str) -> str:
        """A field of /sys/class/dmi/id, empty if it could not be read."""
        return (self.dmi.get(name) or "").strip()


def parse_facts(text: str, file: str) -> tuple[FirmwareFacts | None, Report]:
    """Read recorded facts.

    Args:
        text: the JSON document, or the output of a probe whose last line is one.
        file: how it is named to the user.

    Returns:
        The facts, or None and a finding of VK-L03.
    """

    def refused(message: str) -> tuple[None, Report]:
        remedy = "Record them anew: `ventoy-kit bios probe | ssh root@NODE python3 - > facts.json`."
        return None, Report([codes.FACTS_UNREADABLE.finding(message, remedy, place=Place(file))])

    try:
        section = section_of(facts_of(text, file), "firmware", file)
        return FirmwareFacts.model_validate(section), Report()
    except NoFactsError as error:
        return refused(str(error))
    except ValidationError as error:
        return refused(damage(error, file, "firmware"))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a driver says of one setting.

    Attributes:
        driver: the driver's folder.
        name: the attribute's folder.
        current: the value; None if it could not be read.
        possible: the values that the firmware knows, as it spells them; empty if it does not tell.
        error: why there is no value.
        kind: the attribute's type, such as `enumeration`.
    """

    driver: str
    name: str
    current: str | None
    possible: tuple[str, ...]
    error: str = ""
    kind: Literal["enumeration", "other"] = "enumeration"


def read_attribute(facts: FirmwareFacts, driver: str, name: str) -> Reading | None:
    """One attribute of one driver, with the drivers' differences taken away; None if the driver does not have it.

    Folder names cannot hold a slash, and drivers put `!` or a backslash in its place; think-lmi leaves blanks out.
    """
    for interface in facts.attributes:
        if interface.driver != driver:
            continue
        for folder, found in interface.settings.items():
            if _key(folder) == _key(name):
                return _reading(facts, driver, folder, found)
    return None


def _key(name: str) -> str:
    return re.sub(r"[\\!]", "/", "".join(name.split())).casefold()


def _reading(facts: FirmwareFacts, driver: str, folder: str, found: AttributeFacts) -> Reading:
    possible = split_values(driver, found.possible or "")
    current, error = found.current, found.error or ""
    if driver == "thinklmi" and current is not None:
        current, inside = _split_lenovo(current)
        possible = possible or inside
    kind: Literal["enumeration", "other"] = "enumeration" if found.type in (None, "enumeration") else "other"
    if not current:
        # Without root, dell-wmi-sysman refuses or gives nothing; both are "not readable", never a value.
        error = error or ("it is empty" if facts.root else "only root may read it")
        current = None
    return Reading(driver, folder, current, possible, error, kind)


def split_values(driver: str, text: str) -> tuple[str, ...]:
    """The values of `possible_values`: parted by `;`, by `,` on some Lenovo machines; Dell ends with a separator."""
    separator = "," if driver == "thinklmi" and ";" not in text else ";"
    return tuple(part.strip() for part in text.split(separator) if part.strip())


def _split_lenovo(text: str) -> tuple[str, tuple[str, ...]]:
    """Older kernels leave what else the firmware said in the value: `Disable;[Optional:Disable,Enable][Status:...]`."""
    value, _, rest = text.partition(";[")
    options = re.search(r"Optional:([^\]]*)", rest)
    return value.strip(), split_values("thinklmi", options[1]) if options else ()
