"""The section `hardware` of the facts: what the machine is made of. What cannot be read is left out or null."""

import array
import fcntl
import json
import os
import re
import socket
import struct

from disks import Udev, hardware_disks
from tree import SECTIONS, Tree

DMI_FIELDS = (
    "sys_vendor", "product_name", "product_version", "product_family", "product_sku", "product_serial", "product_uuid",
    "board_vendor", "board_name", "board_serial", "bios_vendor", "bios_version", "bios_date",
    "chassis_type", "chassis_serial",
)  # fmt: skip
SECURE_BOOT = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
ETHTOOL, GET_PERMANENT_ADDRESS = 0x8946, 0x20  # SIOCETHTOOL, ETHTOOL_GPERMADDR of linux/ethtool.h
PCI_ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


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
        found.append(
            {
                "name": name,
                "mac": as_mac(tree.line(*folder, "address")) or "",
                "permanent_mac": permanent_mac(tree, name),
                "driver": tree.link(*folder, "device", "driver"),
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
        properties = udev.by_path.get(tree.target(*folder)[len("/sys") :], {})
        names = [properties.get("ID_%s_FROM_DATABASE" % key) for key in ("VENDOR", "MODEL")]
        found.append(
            {
                "address": address,
                "kind": number["class"],
                "vendor": number["vendor"],
                "device": number["device"],
                "driver": tree.link(*folder, "driver"),
                "iommu_group": tree.link(*folder, "iommu_group"),
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


SECTIONS["hardware"] = collect_hardware
