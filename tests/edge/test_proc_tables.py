"""The kernel's tables of mounts and swaps."""

from ventoy_kit.edge.proc_tables import MountRow, parse_mountinfo, parse_swaps

MOUNTINFO = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw,errors=remount-ro
61 27 8:17 / /media/luke/My\040Stick\134x rw,nosuid,nodev shared:44 master:1 - fuseblk /dev/sdb1 rw,user_id=0
62 27 8:33 / /mnt/a ro,relatime - vfat /dev/sdc1 rw
63 27 8:49 / /mnt/b rw,relatime - vfat /dev/sdd1 ro
64 27 0:44 /@home /home rw - btrfs /dev/nvme0n1p2 rw,subvol=/@home
65 27 0:45 / /mnt/empty rw - tmpfs  rw
broken line
"""


def test_mountinfo():
    rows = {row.point: row for row in parse_mountinfo(MOUNTINFO)}
    assert rows["/"] == MountRow("8:2", "/", "/", read_only=False, fs_type="ext4", source="/dev/sda2")
    assert rows["/media/luke/My Stick\\x"].fs_type == "fuseblk"
    assert rows["/mnt/a"].read_only
    assert rows["/mnt/b"].read_only
    assert rows["/home"].root == "/@home"
    assert rows["/mnt/empty"].source == ""
    assert len(rows) == 7


def test_errors_remount_ro_is_not_read_only():
    assert not parse_mountinfo(MOUNTINFO)[1].read_only


def test_the_hosts_own_table_has_a_root():
    with open("/proc/self/mountinfo") as table:
        assert any(row.point == "/" for row in parse_mountinfo(table.read()))


def test_swaps():
    text = "Filename\tType\tSize\tUsed\tPriority\n/dev/sda3  partition 1 0 -2\n/swap\\040file file 1 0 -3\n"
    assert parse_swaps(text) == ("/dev/sda3", "/swap file")
    assert parse_swaps("Filename\tType\n") == ()
    assert parse_swaps("") == ()
