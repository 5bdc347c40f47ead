"""A machine made of recorded facts, as files of sysfs and procfs: what the boot hook's scripts look at."""

from __future__ import annotations

from ventoy_kit.hardware.inventory import DiskFacts, Inventory, NicFacts


def machine_files(inventory: Inventory, stick: str) -> dict[str, bytes]:
    """Files by path below `/`, at the places where the kernel has them.

    Args:
        inventory: the machine, with the stick.
        stick: kernel name of the Ventoy stick.
    """
    # The stick is mounted and mapped in the installer; nothing else is in use there.
    out = {"proc/self/mountinfo": b"21 1 0:19 / /proc rw - proc proc rw\n", "sys/block/.keep": b""}
    for name in ("product_serial", "product_uuid"):
        if inventory.dmi.get(name):
            out[f"sys/class/dmi/id/{name}"] = f"{inventory.dmi[name]}\n".encode()
    for nic in inventory.nics:
        out |= _nic(nic)
    for number, disk in enumerate(inventory.disks):
        out |= _disk(disk, number * 16, partitioned=disk.name == stick)
    return out


def _nic(nic: NicFacts) -> dict[str, bytes]:
    base = f"sys/class/net/{nic.name}"
    files = {
        f"{base}/address": f"{nic.permanent_mac or nic.mac}\n".encode(),
        f"{base}/addr_assign_type": b"0\n",
    }
    return files | ({f"{base}/device/driver": b""} if nic.driver else {})


def _disk(disk: DiskFacts, minor: int, *, partitioned: bool) -> dict[str, bytes]:
    base = f"sys/block/{disk.name}"
    files = {
        f"{base}/size": f"{disk.size // 512}\n".encode(),
        f"{base}/ro": b"0\n",
        f"{base}/dev": f"240:{minor}\n".encode(),
        f"{base}/device/model": f"{disk.model}\n".encode(),
    }
    if disk.serial:
        if disk.name.startswith(("nvme", "mmcblk")):
            files[f"{base}/device/serial"] = f"{disk.serial}\n".encode()
        elif disk.name.startswith("vd"):
            files[f"{base}/serial"] = disk.serial.encode()
        else:
            page = disk.serial.encode()[:252]
            files[f"{base}/device/vpd_pg80"] = b"\0\x80\0" + bytes([len(page)]) + page
    if disk.wwn:
        place = f"{base}/wwid" if disk.name.startswith("nvme") else f"{base}/device/wwid"
        prefix = "eui." if disk.name.startswith("nvme") else "naa."
        bare = disk.wwn.removeprefix("0x")
        files[place] = f"{disk.wwn if '.' in disk.wwn else prefix + bare}\n".encode()
    if partitioned:
        files[f"{base}/{disk.name}1/partition"] = b"1\n"
        files[f"{base}/{disk.name}1/dev"] = f"240:{minor + 1}\n".encode()
    return files
