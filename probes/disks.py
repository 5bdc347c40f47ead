"""Disks: what identifies them, how they are connected and what is on them."""

import json
import os
import re

# What is no whole disk, and what identifies nothing: the same as in boot_overlay/disks.sh and lib.sh, so that what is
# recorded is what the boot hook will see. Tests run both on the same machines.
NO_DISK = re.compile(
    r".*[^a-z0-9].*|(loop|ram|zram|dm|md|sr|scd|fd|nbd|zd).*|mmcblk.*(boot|rpmb).*|nvme.*c.*n.*"
)
REGISTERS = ("naa.", "eui.", "t10.", "nvme.", "uuid.", "0x")
PLACEHOLDERS = {
    "", "defaultstring", "tobefilledbyoem", "oem", "systemserialnumber", "serialnumber", "chassisserialnumber",
    "baseboardserialnumber", "notspecified", "notapplicable", "notavailable", "none", "null", "na", "unknown",
    "invalid", "empty", "0123456789", "123456789", "1234567890", "0123456789abcdef",
    "03000200040005000006000700080009", "00020003000400050006000700080009", "123456781234567890abcddeefaabbcc",
    "fefefefefefefefefefefefefefefefe",
}  # fmt: skip


def squeezed(data):
    """Without blanks and whatever cannot be printed, as firmware and bridges pad what they report."""
    return bytes(byte for byte in data if 0x21 <= byte <= 0x7E).decode("ascii")


def is_placeholder(text):
    plain = re.sub("[^a-z0-9]", "", text.lower())
    return len(set(plain)) <= 1 or plain in PLACEHOLDERS


class Udev:
    """Properties that udev knows, by path below /sys; `told` says whether there was any database."""

    def __init__(self, tree):
        self.tree = tree
        self.by_path = {}
        database = tree.names("run", "udev", "data")
        text = tree.run("udevadm", "info", "--export-db") if database else None
        for record in (text or "").split("\n\n"):
            found = {}
            for line in record.splitlines():
                if line.startswith("E: ") and "=" in line:
                    key, _, value = line[3:].partition("=")
                    found[key] = value
            if "DEVPATH" in found:
                self.by_path[found["DEVPATH"]] = found
        self.told = bool(database)

    def properties(self, key, *where):
        """Of the device whose folder is `where`; `key` is the name of its file in /run/udev/data."""
        path = self.tree.target(*where)[len("/sys") :]
        if path in self.by_path:
            return self.by_path[path]
        found = {"DEVPATH": path}
        for line in (self.tree.line(*where, "uevent") or "").splitlines():
            name, equals, value = line.partition("=")
            if equals:
                found[name] = "/dev/" + value if name == "DEVNAME" else value
        links = []
        for line in (self.tree.line("run", "udev", "data", key) or "").splitlines():
            kind, _, rest = line.partition(":")
            if kind == "E" and "=" in rest:
                name, _, value = rest.partition("=")
                found[name] = value
            elif kind == "S":
                links.append("/dev/" + rest)
        if links:
            found["DEVLINKS"] = " ".join(sorted(links))
        return found


def disk_serial(tree, folder):
    for parts in (("serial",), ("device", "serial")):
        serial = squeezed(tree.data(*folder, *parts))
        if not is_placeholder(serial):
            return serial
    serial = squeezed(tree.data(*folder, "device", "vpd_pg80")[4:])
    return None if is_placeholder(serial) else serial


def disk_wwn(tree, folder):
    for parts in (("wwid",), ("device", "wwid")):
        wwn = squeezed(tree.data(*folder, *parts)).lower()
        for register in REGISTERS:
            if wwn.startswith(register):
                wwn = wwn[len(register) :]
                break
        if not is_placeholder(wwn):
            return wwn
    return None


def disk_model(tree, folder):
    for name in ("model", "name"):
        if tree.there(*folder, "device", name):
            data = tree.data(*folder, "device", name)
            printable = bytes(byte if 0x21 <= byte <= 0x7E else 0x20 for byte in data)
            return " ".join(printable.decode("ascii").split())
    return ""


def is_whole_disk(tree, name):
    folder = ("sys", "block", name)
    if not tree.there(*folder, "device") or tree.there(*folder, "partition") or NO_DISK.fullmatch(name):
        return False
    sectors = squeezed(tree.data(*folder, "size"))
    hidden = squeezed(tree.data(*folder, "hidden")) or "0"
    return hidden == "0" and re.fullmatch("[1-9][0-9]{0,16}", sectors) is not None


def transport(tree, name, properties):
    """How the disk is connected. By its place in the machine, since a USB bridge may call its disk ATA."""
    for start, kind in (
        ("nvme", "nvme"),
        ("vd", "virtio"),
        ("mmcblk", "mmc"),
        ("xvd", "xen"),
        ("pmem", "pmem"),
    ):
        if name.startswith(start):
            return kind
    path = tree.target("sys", "block", name, "device")
    for part, kind in (
        ("/usb[0-9]", "usb"),
        ("/ata[0-9]", "ata"),
        ("/end_device-", "sas"),
        ("/virtio", "virtio"),
    ):
        if re.search(part, path):
            return kind
    return properties.get("ID_BUS")


class Contents:
    """What is on disks: from lsblk, else blkid, else udev, and from what the kernel has opened and mounted."""

    def __init__(self, tree, udev):
        self.tree, self.udev = tree, udev
        self.kinds = self.from_lsblk() or self.from_blkid()
        self.mounts = {}
        for line in (tree.line("proc", "self", "mountinfo") or "").splitlines():
            fields = line.split(" ")
            if len(fields) > 4:
                self.mounts.setdefault(fields[2], fields[4])
        swaps = (tree.line("proc", "swaps") or "").splitlines()[1:]
        self.swaps = {os.path.basename(line.split()[0]) for line in swaps if line.split()}
        arrays = (tree.line("proc", "mdstat") or "").splitlines()
        self.arrays = {
            line.split()[0]: [
                word for word in line.split()[2:] if word.startswith(("raid", "linear", "inactive"))
            ]
            for line in arrays
            if line.startswith("md") and " : " in line
        }

    def from_lsblk(self):
        """Type and label of file system by kernel name. Without root and without udev, lsblk knows nothing."""
        if not (self.udev.told or os.geteuid() == 0):
            return None
        text = self.tree.run("lsblk", "-J", "-o", "KNAME,FSTYPE,LABEL,PTTYPE")
        try:
            devices = list(json.loads(text or "")["blockdevices"])
        except (ValueError, KeyError, TypeError):
            return None
        found = {}
        while devices:
            device = devices.pop()
            devices += device.get("children") or []
            found[device.get("kname")] = (device.get("fstype"), device.get("label"), device.get("pttype"))
        return found

    def from_blkid(self):
        text = self.tree.run("blkid", "-o", "export") if os.geteuid() == 0 else None
        if text is None:
            return None
        found = {}
        for record in text.split("\n\n"):
            fields = dict(line.split("=", 1) for line in record.splitlines() if "=" in line)
            name = os.path.basename(os.path.realpath(fields.get("DEVNAME", "")))
            found[name] = (fields.get("TYPE"), fields.get("LABEL"), fields.get("PTTYPE"))
        return found

    def could_look(self, name):
        """Whether anything could tell file systems of this disk from nothing."""
        return self.udev.told or (self.kinds is not None and os.access(self.tree.path("dev", name), os.R_OK))

    def kind(self, folder):
        if self.kinds is not None:
            return self.kinds.get(folder[-1], (None, None, None))
        number = self.tree.line(*folder, "dev")
        found = self.udev.properties("b%s" % number, *folder)
        return found.get("ID_FS_TYPE"), found.get("ID_FS_LABEL"), found.get("ID_PART_TABLE_TYPE")

    def of(self, folder):
        """What a disk, its partitions and whatever stands on them hold, in the order of their names."""
        tree, name = self.tree, folder[-1]
        number = tree.line(*folder, "dev")
        filesystem, label, table = self.kind(folder)
        title = tree.line(*folder, "dm", "name") or name
        told = []
        if tree.there(*folder, "partition"):
            told.append("partition")
        elif table:
            told.append("partition table " + table)
        if tree.there(*folder, "dm"):
            told.append("device mapper")
        if tree.there(*folder, "md") or name in self.arrays:
            told.append(" ".join(["array"] + self.arrays.get(name, [])))
        if filesystem:
            told.append(filesystem + (" `%s`" % label if label else ""))
        if number in self.mounts:
            told.append("mounted at " + self.mounts[number])
        if name in self.swaps or title in self.swaps:
            told.append("used as swap")
        found = ["%s: %s" % (title, ", ".join(told))] if told else []
        for inner in tree.names(*folder):
            if tree.there(*folder, inner, "partition"):
                found += self.of(folder + (inner,))
        for holder in tree.names(*folder, "holders"):
            found += [text for text in self.of(("sys", "block", holder)) if text not in found]
        return found


def hardware_disks(tree, udev):
    contents = Contents(tree, udev)
    found = []
    for name in tree.names("sys", "block"):
        if not is_whole_disk(tree, name):
            continue
        folder = ("sys", "block", name)
        properties = udev.properties("b%s" % tree.line(*folder, "dev"), *folder)
        found.append(
            {
                "name": name,
                "size": int(squeezed(tree.data(*folder, "size"))) * 512,  # whatever the sector size
                "model": disk_model(tree, folder),
                "serial": disk_serial(tree, folder),
                "wwn": disk_wwn(tree, folder),
                "properties": properties,
                "logical_block": tree.number(*folder, "queue", "logical_block_size"),
                "removable": tree.line(*folder, "removable") == "1",
                "transport": transport(tree, name, properties),
                "holds": contents.of(folder) + ([] if contents.could_look(name) else ["unknown"]),
            }
        )
    return found
