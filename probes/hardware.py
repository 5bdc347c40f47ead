#!/usr/bin/env python3
"""Print what this machine is made of, as far as Linux shows it, as one line of JSON: disks, network interfaces, PCI.

Reads only. Needs Python 3.7 or newer and nothing else; root sees more than other users. What cannot be read is left
out or null. `--root FOLDER` looks at a copy of /sys, /proc and /run/udev, and starts no program.
"""

import argparse
import array
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys

DMI_FIELDS = (
    "sys_vendor", "product_name", "product_version", "product_family", "product_sku", "product_serial", "product_uuid",
    "board_vendor", "board_name", "board_serial", "bios_vendor", "bios_version", "bios_date",
    "chassis_type", "chassis_serial",
)  # fmt: skip
SECURE_BOOT = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
LIMIT = 65536
SECONDS = 20
ETHTOOL, GET_PERMANENT_ADDRESS = 0x8946, 0x20  # SIOCETHTOOL, ETHTOOL_GPERMADDR of linux/ethtool.h
PCI_ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")

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


class Tree:
    """The files of a machine below a folder, and, if that is the root, its programs."""

    def __init__(self, root):
        self.root = root
        self.live = os.path.realpath(root) == "/"

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def names(self, *parts):
        """Names in a folder, sorted; none if there is no such folder or it may not be read."""
        try:
            return sorted(os.listdir(self.path(*parts)))
        except OSError:
            return []

    def there(self, *parts):
        return os.path.exists(self.path(*parts))

    def data(self, *parts):
        """Bytes of a small file; none if it cannot be read."""
        try:
            with open(self.path(*parts), "rb") as file:
                return file.read(LIMIT)
        except OSError:
            return b""

    def line(self, *parts):
        """A file as text without blanks around it, or None."""
        return self.data(*parts).decode("utf-8", "replace").strip("\0 \t\r\n") or None

    def number(self, *parts):
        text = self.line(*parts) or ""
        return int(text) if re.fullmatch("-?[0-9]{1,18}", text) else None

    def target(self, *parts):
        """Where a path ends after all links, as the machine itself would say."""
        where = os.path.realpath(self.path(*parts))
        return "/" + os.path.relpath(where, os.path.realpath(self.root))

    def run(self, *argv):
        """What a program prints, or None if it is not there, fails or hangs."""
        if not self.live:
            return None
        env = dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")
        try:
            done = subprocess.run(  # noqa: PLW1510 - its code is looked at
                argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                timeout=SECONDS, env=env,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


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


def as_mac(text):
    """A hardware address in lower case; nothing for zeros and for what is none."""
    text = (text or "").lower()
    return text if re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", text) and set(text) != {"0", ":"} else None


def ask_driver(name):
    """The permanent address as `ethtool -P` prints it."""
    answer = array.array("B", struct.pack("II32x", GET_PERMANENT_ADDRESS, 32))
    request = struct.pack("16sP16x", name.encode(), answer.buffer_info()[0])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            fcntl.ioctl(door, ETHTOOL, request)
    except OSError:
        return None
    (size,) = struct.unpack_from("I", answer, 4)
    return as_mac(":".join("%02x" % byte for byte in answer[8 : 8 + size]))


def permanent_mac(tree, name):
    """The burnt-in address: from the driver, else from the bond that it works for, else the one in use if it is that."""
    folder = ("sys", "class", "net", name)
    told = ask_driver(name) if tree.live else None
    told = told or as_mac(tree.line(*folder, "bonding_slave", "perm_hwaddr"))
    if told or (tree.line(*folder, "addr_assign_type") or "0") != "0":
        return told
    return as_mac(tree.line(*folder, "address"))


def addresses(tree):
    """IP addresses by interface, those of a bridge or bond at the card that works for it too."""
    try:
        links = json.loads(tree.run("ip", "-j", "address", "show") or "[]")
        own = {
            link["ifname"]: [
                "%s/%d" % (each["local"], each["prefixlen"])
                for each in link.get("addr_info", [])
                if each.get("scope") == "global"
            ]
            for link in links
            if "ifname" in link
        }
    except (ValueError, KeyError, TypeError):
        return {}
    for link in links:
        own[link.get("ifname")] = own.get(link.get("ifname"), []) + own.get(link.get("master"), [])
    return own


def hardware_nics(tree, udev):
    """Interfaces with hardware behind them."""
    found, ips = [], addresses(tree)
    for name in tree.names("sys", "class", "net"):
        folder = ("sys", "class", "net", name)
        if not tree.there(*folder, "device"):
            continue
        place = tree.target(*folder, "device")
        behind = [] if "/usb" in place else [part for part in place.split("/") if PCI_ADDRESS.fullmatch(part)]
        speed = tree.number(*folder, "speed")
        driver = tree.target(*folder, "device", "driver") if tree.there(*folder, "device", "driver") else None
        found.append(
            {
                "name": name,
                "mac": as_mac(tree.line(*folder, "address")) or "",
                "permanent_mac": permanent_mac(tree, name),
                "driver": driver and os.path.basename(driver),
                "properties": udev.properties("n%s" % tree.line(*folder, "ifindex"), *folder),
                "pci": behind[-1] if behind else None,
                "addresses": ips.get(name, []),
                "speed": speed if speed is not None and speed > 0 else None,
            }
        )
    return found


def hardware_pci(tree, udev):
    """All PCI functions; None on a machine without PCI."""
    base = ("sys", "bus", "pci", "devices")
    if not tree.there(*base):
        return None
    found = []
    for address in tree.names(*base):
        folder = base + (address,)
        number = {key: (tree.line(*folder, key) or "")[2:].lower() for key in ("class", "vendor", "device")}
        linked = {
            key: os.path.basename(tree.target(*folder, key)) if tree.there(*folder, key) else None
            for key in ("driver", "iommu_group")
        }
        properties = udev.by_path.get(tree.target(*folder)[len("/sys") :], {})
        names = [properties.get("ID_%s_FROM_DATABASE" % key) for key in ("VENDOR", "MODEL")]
        found.append(
            {
                "address": address,
                "kind": number["class"],
                "vendor": number["vendor"],
                "device": number["device"],
                "driver": linked["driver"],
                "iommu_group": linked["iommu_group"],
                "title": " ".join(filter(None, names)) or None,
            }
        )
    return found


def memory_modules(tree):
    """Bytes of each memory module, and whether they are ECC (SMBIOS 7.17 and 7.18, read by root); None if not told."""
    base = ("sys", "firmware", "dmi", "entries")
    sizes, ecc = [], None
    for name in tree.names(*base):
        raw = tree.data(*base, name, "raw")
        if name.startswith("17-") and len(raw) >= 0x0E:
            size = struct.unpack_from("<H", raw, 0x0C)[0]
            if size == 0x7FFF and len(raw) >= 0x20:
                sizes.append((struct.unpack_from("<I", raw, 0x1C)[0] & 0x7FFFFFFF) << 20)
            elif size not in (0, 0x7FFF, 0xFFFF):
                sizes.append((size & 0x7FFF) << (10 if size & 0x8000 else 20))
        elif (
            name.startswith("16-") and len(raw) >= 7 and raw[5] == 3 and raw[6] in (3, 5, 6)
        ):  # system memory
            ecc = bool(ecc) or raw[6] in (5, 6)
    return sizes, ecc


def collect_hardware(root="/"):
    """The section `hardware` of the facts."""
    tree = Tree(root)
    udev = Udev(tree)
    variable = tree.data("sys", "firmware", "efi", "efivars", SECURE_BOOT)
    uefi = tree.there("sys", "firmware", "efi")
    boot = "uefi" if uefi else "bios" if tree.there("sys", "class", "dmi") else None
    dmi = {name: tree.line("sys", "class", "dmi", "id", name) for name in DMI_FIELDS}
    models = re.findall("^model name[ \t]*:[ \t]*(.+)$", tree.line("proc", "cpuinfo") or "", re.MULTILINE)
    total = re.search("^MemTotal: *([0-9]+) kB", tree.line("proc", "meminfo") or "", re.MULTILINE)
    modules, ecc = memory_modules(tree)
    return {
        "root": os.geteuid() == 0,
        "hostname": tree.line("proc", "sys", "kernel", "hostname"),
        "boot_mode": boot,
        "secure_boot": variable[4:5] == b"\1" if len(variable) == 5 else None,
        "dmi": {name: text for name, text in dmi.items() if text},
        "cpu": " ".join(models[0].split()) if models else None,
        "memory": int(total.group(1)) * 1024 if total else 0,
        "modules": modules,
        "ecc": ecc,
        "disks": hardware_disks(tree, udev),
        "nics": hardware_nics(tree, udev),
        "pci": hardware_pci(tree, udev),
    }


def main():
    parser = argparse.ArgumentParser(description="Print what this machine is made of as JSON. Reads only.")
    parser.add_argument("--root", default="/", metavar="FOLDER", help="look at the files below this folder")
    root = parser.parse_args().root
    facts = {"format": 1, "hardware": collect_hardware(root)}
    firmware = globals().get("collect")  # there if probes/firmware.py was put before this file
    if firmware is not None:
        facts["firmware"] = firmware(root)
    sys.stdout.write(json.dumps(facts, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
