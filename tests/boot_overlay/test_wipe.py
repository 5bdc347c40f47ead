"""Leftovers are removed from system disks at the places of signatures, and nowhere else."""

from __future__ import annotations

import os
import stat

import pytest

from tests.boot_overlay.scratch import Scratch

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("busybox", "chroot", "unshare")]
MIB = 1 << 20
RUN = ". /ventoy-kit/lib.sh; . /ventoy-kit/disks.sh; . /ventoy-kit/wipe.sh; mkdir -p /ventoy-kit/run; vk_scan_disks; "


@pytest.fixture
def root(debian_root: Scratch) -> Scratch:
    """A disk of 100 MiB full of ones, with a partition from 10 to 90 MiB; its node is a plain file."""
    debian_root.disk("sda", "ONE", size=100 * MIB, partitions=1, node=False)
    debian_root.write("sys/block/sda/sda1/start", f"{10 * 2048}\n")
    debian_root.write("sys/block/sda/sda1/size", f"{80 * 2048}\n")
    os.mknod(debian_root.path / "dev/zero", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    debian_root.write("dev/sda", b"\xff" * (100 * MIB))
    return debian_root


def clear(root: Scratch) -> str:
    done = root.shell(RUN + 'VK_DISKS=/dev/sda; vk_clear_disks || echo "$VK_CODE $VK_DETAIL"')
    return done.stdout.strip()


def test_signatures_go_from_disk_and_partition(root: Scratch):
    assert clear(root) == ""
    data = (root.path / "dev/sda").read_bytes()
    assert len(data) == 100 * MIB
    zeroed = [(0, 1), (99, 1), (10, 1), (89, 1)]
    expected = bytearray(b"\xff" * (100 * MIB))
    for start, length in zeroed:
        expected[start * MIB : (start + length) * MIB] = bytes(length * MIB)
    for start in (64, 74):  # copies of btrfs's superblock, of the disk and of the partition
        expected[start * MIB : start * MIB + 65536] = bytes(65536)
    assert data == bytes(expected)


def test_an_array_that_spans_another_disk_is_refused_before_anything_is_written(root: Scratch):
    root.disk("sdb", "TWO", size=100 * MIB, partitions=1)
    root.write("sys/block/md0/md/array_state", "active\n")
    for disk in ("sda", "sdb"):
        root.write(f"sys/block/{disk}/{disk}1/holders/md0", "")
        root.write(f"sys/block/md0/slaves/{disk}1", "")
    assert clear(root).startswith("VK-B52 md0 stands on a system disk and on /dev/sdb")
    assert set((root.path / "dev/sda").read_bytes()) == {255}
    assert root.read("sys/block/md0/md/array_state") == "active\n"


def test_an_array_on_system_disks_alone_is_stopped(root: Scratch):
    root.write("sys/block/md0/md/array_state", "active\n")
    root.write("sys/block/sda/sda1/holders/md0", "")
    root.write("sys/block/md0/slaves/sda1", "")
    assert clear(root) == ""
    assert root.read("sys/block/md0/md/array_state") == "clear\n"


def test_a_volume_that_cannot_be_removed_is_refused(root: Scratch):
    root.write("sys/block/dm-0/dm/name", "old-root\n")
    root.write("sys/block/sda/sda1/holders/dm-0", "")
    root.write("sys/block/dm-0/slaves/sda1", "")
    assert clear(root) == "VK-B53 Still running: dm-0."
    assert set((root.path / "dev/sda").read_bytes()) == {255}


def test_a_disk_that_cannot_be_written_is_refused(root: Scratch):
    (root.path / "dev/sda").unlink()
    (root.path / "dev/sda").mkdir()
    assert clear(root) == "VK-B54 Writing to /dev/sda failed."
