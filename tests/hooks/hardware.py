"""Hardware as sysfs shows it, for roots whose /sys is a folder."""

from __future__ import annotations

from tests.hooks.debian_root import DebianRoot

INTEL = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx\nmicrocode\t: 0x2b\n"
AMD = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu svm\nmicrocode\t: 0xa70\n"


def pci(
    root: DebianRoot,
    address: str,
    ids: str,
    *,
    kind: str,
    driver: str = "",
    group: int | None = None,
    **files: str,
) -> None:
    """A PCI device.

    Args:
        root: whose /sys.
        address: such as 0000:01:00.0.
        ids: vendor:device.
        kind: the class, such as 030000.
        driver: the bound driver, a module.
        group: its IOMMU group.
        files: more files of its folder.
    """
    folder = f"sys/bus/pci/devices/{address}"
    vendor, device = ids.split(":")
    given = {
        "vendor": f"0x{vendor}",
        "device": f"0x{device}",
        "class": f"0x{kind}",
        "modalias": f"pci:v0000{vendor.upper()}d0000{device.upper()}sv00001028sd00000B0Ebc{kind[:2]}sc{kind[2:4]}i00",
        "subsystem_vendor": "0x1028",
        "subsystem_device": "0x16fa",
        "reset_method": "flr bus",
        **files,
    }
    for name, text in given.items():
        root.write(f"{folder}/{name}", f"{text}\n")
    place = root.upper / folder
    bind(root, address, driver)
    if group is not None:
        members = root.upper / f"sys/kernel/iommu_groups/{group}/devices"
        members.mkdir(parents=True, exist_ok=True)
        (members / address).symlink_to(f"../../../../bus/pci/devices/{address}")
        (place / "iommu_group").symlink_to(f"../../../../kernel/iommu_groups/{group}")


def bind(root: DebianRoot, address: str, driver: str) -> None:
    """Bind a device to the driver of a module, or to none."""
    place = root.upper / f"sys/bus/pci/devices/{address}/driver"
    place.unlink(missing_ok=True)
    if driver:
        folder = root.upper / f"sys/bus/pci/drivers/{driver}"
        folder.mkdir(parents=True, exist_ok=True)
        root.write(f"sys/module/{driver}/initstate", "live\n")
        if not (folder / "module").is_symlink():
            (folder / "module").symlink_to(f"../../../../module/{driver}")
        place.symlink_to(f"../../drivers/{driver}")


def nic(root: DebianRoot, name: str, mac: str, address: str, **files: str) -> None:
    """A network card on a PCI device that is there."""
    folder = root.upper / f"sys/class/net/{name}"
    for file, text in {"address": mac, "operstate": "up", "speed": "1000", **files}.items():
        root.write(f"sys/class/net/{name}/{file}", f"{text}\n")
    (folder / "device").symlink_to(f"../../../bus/pci/devices/{address}")
