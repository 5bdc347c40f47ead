"""What of an emulator this machine has: QEMU and its version, KVM, firmware, processors and memory. Reads only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ventoy_kit.errors import MachineError, MissingToolError
from ventoy_kit.ports import Process

FIRMWARE = (
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
)
"""UEFI without Secure Boot, code and variables: Debian and Ubuntu (package ovmf), Arch, Fedora, older Debian."""

_KVM = Path("/dev/kvm")
_GET_API_VERSION, _CREATE_VM = 0xAE00, 0xAE01
"""ioctl numbers of linux/kvm.h."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """Attributes: `version` of QEMU as it says; `kvm`, whether the processor runs guests by itself."""

    version: str
    kvm: bool

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.version}, {'KVM' if self.kvm else 'software emulation (no usable KVM)'}"


def find_emulator(process: Process, program: str) -> Emulator:
    """Ask QEMU for its version, and the kernel whether it can run guests. Raises MissingToolError, MachineError."""
    code, out, err = process.run((program, "--version"), timeout=60)
    if code:
        raise MachineError(f"{program} does not run: {(err or out).strip()[:200]}")
    version = out.splitlines()[0].split("(")[0].replace("emulator version", "")
    return Emulator(" ".join(version.split()), kvm_works())


def kvm_works() -> bool:
    """Whether a guest can really be made: the device may be there without a processor behind it."""
    try:
        import fcntl

        device = os.open(_KVM, os.O_RDWR | os.O_CLOEXEC)
    except (ImportError, OSError):
        return False
    try:
        if fcntl.ioctl(device, _GET_API_VERSION, 0) != 12:
            return False
        os.close(fcntl.ioctl(device, _CREATE_VM, 0))
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(device)


def has_firmware() -> bool:
    """Whether OVMF is there."""
    return any(Path(code).is_file() and Path(variables).is_file() for code, variables in FIRMWARE)


def firmware_files() -> tuple[Path, Path]:
    """OVMF's code and variables. Raises MissingToolError."""
    for code, variables in FIRMWARE:
        if Path(code).is_file() and Path(variables).is_file():
            return Path(code), Path(variables)
    raise MissingToolError("no UEFI firmware for QEMU (OVMF) is installed", "Install the package ovmf.")


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int:
    """MiB of memory that are available; 2048 where the system does not say."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    except (OSError, ValueError):
        pass
    return 2048
