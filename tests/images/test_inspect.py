"""What an image is, from what was read of it."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.images import codes
from ventoy_kit.images.inspect import PACKAGE_LIST_LIMIT, WANTED, interpret, packages_on_disc
from ventoy_kit.ports import RawIso

PATH = ("images", "x", "path")
INFO = b"RELEASE='9.2'\nISORELEASE='1'\nISONAME='proxmox-ve'\nPRODUCT='pve'\nPRODUCTLONG='Proxmox VE'\n\n"
PROXMOX = {
    "/.disk/info": INFO,
    "/.cd-info": INFO,
    "/.pve-cd-id.txt": b"id\n",
    "/auto-installer-capable": b"",
    "/boot/grub/grub.cfg": b"set timeout=1\n",
    "/boot/linux26": b"",
    "/boot/initrd.img": b"",
    "/pve-base.squashfs": b"",
    "/pve-installer.squashfs": b"",
}
NETINST = b'Debian GNU/Linux 13.6.0 "Trixie" - Official amd64 NETINST with firmware 20260711-09:42'
DEBIAN = {
    "/.disk/info": NETINST,
    "/boot/grub/grub.cfg": b"",
    "/install.amd/vmlinuz": b"",
    "/install.amd/initrd.gz": b"",
}
NETBOOT = {
    "/.disk/info": b"Debian GNU/Linux 12 netboot, assembled by ventoy-kit from debian-installer-12-netboot-amd64 1\n",
    "/debian-installer/amd64/linux": b"",
    "/debian-installer/amd64/initrd.gz": b"",
}


def raw(files, *, volume_id="PVE", size=1 << 20, volume_size=1 << 20, eltorito=("bios", "uefi")):
    return RawIso(size, volume_id, volume_size, files, frozenset(files), frozenset(eltorito))


def look(files, **more):
    facts, report = interpret(raw(files, **more), path=PATH)
    assert all(finding.path == PATH for finding in report)
    assert (facts is None) is report.has_errors
    return facts, [finding.rule for finding in report]


def changed(files, **contents):
    """A copy with some files replaced; None takes one away."""
    new = {**files, **{path.replace("__", "/"): content for path, content in contents.items()}}
    return {path: content for path, content in new.items() if content is not None}


def test_proxmox():
    facts, rules = look(PROXMOX)
    assert rules == []
    assert (facts.family, facts.product, facts.title) == ("proxmox", "proxmox-ve", "Proxmox VE")
    assert (facts.release, facts.build, facts.automated, facts.stand_in) == ("9.2", "1", True, False)
    assert facts.boot == {"bios", "uefi"}
    assert [menu.path for menu in facts.menus] == ["/boot/grub/grub.cfg"]


@pytest.mark.parametrize(
    ("short", "product", "title"),
    [
        ("pbs", "proxmox-backup-server", "Proxmox Backup Server"),
        ("pmg", "proxmox-mail-gateway", "Proxmox Mail Gateway"),
    ],
)
def test_its_siblings(short, product, title):
    files = {path.replace("pve", short): content for path, content in PROXMOX.items()}
    info = f"PRODUCT='{short}'\nPRODUCTLONG='{title}'\nRELEASE='4.0'\nISORELEASE='1'\n".encode()
    facts, rules = look(changed(files, **{"/.disk/info": info, "/.cd-info": info}))
    assert rules == []
    assert (facts.family, facts.product, facts.title) == ("proxmox", product, title)


def test_older_image_without_the_capable_mark():
    facts, _ = look(changed(PROXMOX, **{"/auto-installer-capable": None}))
    assert facts.product == "proxmox-ve"
    assert not facts.automated


def test_one_info_file_is_enough():
    for path in ("/.disk/info", "/.cd-info"):
        facts, rules = look(changed(PROXMOX, **{path: None}))
        assert (facts.product, rules) == ("proxmox-ve", [])


@pytest.mark.parametrize(
    "missing", ["/.pve-cd-id.txt", "/boot/linux26", "/boot/initrd.img", "/pve-base.squashfs"]
)
def test_proxmox_without_its_own_files(missing):
    assert look(changed(PROXMOX, **{missing: None})) == (None, [codes.CONTRADICTION])


def test_info_files_that_disagree():
    assert look(changed(PROXMOX, **{"/.cd-info": INFO.replace(b"9.2", b"9.1")}))[1] == [codes.CONTRADICTION]


def test_other_products_are_no_proxmox_family():
    info = b"PRODUCT='pdm'\nPRODUCTLONG='Proxmox Datacenter Manager'\nRELEASE='1.0'\n"
    facts, _ = look(changed(PROXMOX, **{"/.disk/info": info, "/.cd-info": info}))
    assert (facts.family, facts.product, facts.title) == (None, None, "Proxmox Datacenter Manager")


@pytest.mark.parametrize(
    ("info", "volume_id", "release", "medium"),
    [
        (NETINST, "Debian 13.6.0 amd64 n", "13.6.0", "netinst"),
        (
            b'Debian GNU/Linux 12.11.0 "Bookworm" - Official amd64 DVD Binary-1 with firmware',
            "x",
            "12.11.0",
            "dvd",
        ),
        (
            b'Debian GNU/Linux 12.11.0 "Bookworm" - Official amd64 CD',
            "Debian 12.11.0 amd64 1",
            "12.11.0",
            None,
        ),
    ],
)
def test_debian(info, volume_id, release, medium):
    facts, rules = look(changed(DEBIAN, **{"/.disk/info": info}), volume_id=volume_id)
    assert rules == []
    assert (facts.family, facts.product, facts.release, facts.medium) == ("debian", "debian", release, medium)
    assert facts.automated
    assert facts.title == info.decode()


def test_debian_netboot():
    facts, _ = look(NETBOOT, volume_id="Debian 12 netboot amd64")
    assert (facts.product, facts.release, facts.medium, facts.automated) == ("debian", "12", "netboot", True)


def test_debian_volume_of_another_release():
    assert look(DEBIAN, volume_id="Debian 12.11.0 amd64 n") == (None, [codes.CONTRADICTION])


@pytest.mark.parametrize(
    "info",
    [
        b'Kali GNU/Linux 2026.1 "Kali" - amd64 NETINST',
        b'Ubuntu 24.04.4 LTS "Noble Numbat" - Release amd64 (20260210)',
        b"Debian GNU/Linux trixie - Official amd64",
        b"Debian GNU/Linux 13.6.0.1.2 x",
        b"",
        b"\xff\xfe\x00\n",
    ],
)
def test_not_debian(info):
    facts, _ = look(changed(DEBIAN, **{"/.disk/info": info}), volume_id="X")
    assert (facts.family, facts.product, facts.release, facts.automated) == (None, None, None, False)
    assert facts.title


def test_debian_live_has_no_installer_where_it_belongs():
    facts, _ = look({"/.disk/info": NETINST, "/boot/grub/grub.cfg": b""})
    assert facts.product is None


@pytest.mark.parametrize(
    ("size", "volume_size", "rules"),
    [
        (4096, 4096, []),
        (4095, 4096, [codes.TRUNCATED]),
        (2048, 4096, [codes.TRUNCATED]),
        (4097, 4096, [codes.ODD_SIZE]),
        (6144, 4096, []),
        (5001, 5001, []),
    ],
)
def test_sizes(size, volume_size, rules):
    assert look(PROXMOX, size=size, volume_size=volume_size)[1] == rules


@pytest.mark.parametrize("mark", ["/auto-installer-mode.toml", "/answer.toml"])
def test_an_image_that_installs_by_itself_is_refused(mark):
    facts, rules = look({**PROXMOX, mark: b'mode = "iso"\n'})
    assert (facts, rules) == (None, [codes.PREPARED])


def test_marks_for_ventoy():
    assert look({**PROXMOX, "/ventoy.dat": b"", "/VENTOY.DAT": b""})[1] == [codes.VENTOY_COMPATIBLE]


def test_no_boot_entry():
    assert look(PROXMOX, eltorito=())[1] == [codes.NOT_BOOTABLE]
    assert look(PROXMOX, eltorito=("uefi",))[0].boot == {"uefi"}


def test_all_findings_at_once():
    files = changed(PROXMOX, **{"/answer.toml": b"", "/ventoy.dat": b"", "/boot/linux26": None})
    assert len(look(files, size=(1 << 20) + 1, eltorito=())[1]) == 5


def test_menu_that_is_no_utf8_is_not_shown_as_text():
    assert look(changed(PROXMOX, **{"/boot/grub/grub.cfg": b"echo \xff\n"}))[0].menus == ()
    text = "echo é\r\n\x00"
    assert look(changed(PROXMOX, **{"/boot/grub/grub.cfg": text.encode()}))[0].menus[0].text == text


def test_text_from_an_image_is_fit_for_a_terminal():
    info = INFO.replace(b"Proxmox VE", b"Prox\x1b[31mmox\x00 \x9b VE" + b"!" * 500)
    facts, _ = look(changed(PROXMOX, **{"/.disk/info": info, "/.cd-info": info}), volume_id="a\x1bb")
    assert facts.title.isprintable()
    assert len(facts.title) <= 120
    assert facts.volume_id == "a b"


ODD = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from(
            [b"PRODUCT='pve'", b"PRODUCT=", b"RELEASE='9'", "RELEASE='٩.٢'".encode(), b"ISORELEASE='x'"]
        )
        | st.sampled_from([b"=''", b"Debian GNU/Linux 13", b"PRODUCTLONG='\x1b'", b"PRODUCT='pve", b"\xff"]),
        max_size=6,
    ).map(b"\n".join),
)


@given(
    files=st.dictionaries(st.sampled_from(WANTED), ODD),
    more=st.sets(st.sampled_from(WANTED)),
    volume_id=st.text(max_size=32),
    size=st.integers(0, 1 << 40),
)
def test_odd_contents_never_crash(files, more, volume_id, size):
    present = frozenset(files) | more
    facts, report = interpret(
        RawIso(size, volume_id, 1 << 20, files, present, frozenset({"bios"})), path=PATH
    )
    assert (facts is None) is report.has_errors
    if facts is not None:
        assert facts.title.isprintable()
        assert facts.release is None or all(
            part.isascii() and part.isdigit() for part in facts.release.split(".")
        )


LISTED = b"Package: sudo\nVersion: 1\n\nPackage: task-ssh-server\nDepends: nobody\n\n"


def test_packages_on_a_disc_are_those_that_its_lists_name():
    lists = {"/a": gzip.compress(LISTED, mtime=0), "/b": gzip.compress(b"Package: zsh\n")}
    assert packages_on_disc(lists) == frozenset({"sudo", "task-ssh-server", "zsh"})


@pytest.mark.parametrize(
    "packed",
    [
        *(b"", b"no archive", gzip.compress(b"", mtime=0), gzip.compress(LISTED, mtime=0)[:-9]),
        gzip.compress(b"Package: a\n" + bytes(PACKAGE_LIST_LIMIT), mtime=0),
    ],
    ids=["empty", "plain", "of nothing", "cut", "bomb"],
)
def test_a_list_that_cannot_be_read_says_nothing(packed):
    assert packages_on_disc({"/a": packed}) is None
    assert packages_on_disc({}) is None
