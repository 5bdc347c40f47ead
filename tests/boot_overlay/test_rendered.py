"""The whole chain: the example's payload as the kit renders it, unpacked and run in the installer's initramfs."""

from __future__ import annotations

import io
import tarfile
import tomllib
from pathlib import Path

import pytest

from tests.boot_overlay.scratch import Scratch
from ventoy_kit.app.demo import demo
from ventoy_kit.app.host import Host
from ventoy_kit.payload.overlay import runner_in
from ventoy_kit.rehearse.initramfs import unpack_archive

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_tool("busybox", "chroot", "unshare")]


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the demo stages."""
    folder = tmp_path_factory.mktemp("demo")
    assert demo(folder, Host()).ok
    return folder / "stick"


def unpack(stick: Path, root: Scratch, ticket: str) -> None:
    """What Ventoy does before the hook: archive over /, chosen template at its place."""
    (folder,) = stick.glob("ventoy/alliance/*/proxmox-ve")
    with tarfile.open(fileobj=io.BytesIO((folder / "overlay.tar.bz2").read_bytes())) as archive:
        archive.extractall(root.path, filter="tar")
    root.write("ventoy/autoinstall", (folder / ticket).read_bytes())


@pytest.mark.parametrize("ticket", ["auto", "corvette"])
def test_the_right_machine_resolves_its_own_disks(stick: Path, root: Scratch, ticket: str):
    unpack(stick, root, ticket)
    root.dmi(serial="C0RV3T2")
    root.stick()
    root.disk("nvme1n1", serial="S7C0RV3T0001", size=4_000_000_000_000)
    root.disk("nvme0n1", serial="S7C0RV3T0002", size=4_000_000_000_000)
    root.disk("sdq", serial="SOMETHING-ELSE", size=4_000_000_000_000)
    done = root.shell(
        ". /ventoy-kit/lib.sh; . /ventoy-kit/identity.sh; . /ventoy-kit/disks.sh;"
        'vk_load proxmox && vk_identify && vk_resolve_disks "$VK_NODE" || { echo "$VK_CODE $VK_DETAIL"; exit 1; };'
        'printf "%s|%s" "$VK_NODE" "$VK_DISKS"'
    )
    assert done.returncode == 0, done.stdout + done.stderr
    node, disks = done.stdout.rsplit("\n", 1)[-1].split("|")
    assert node == "corvette"
    assert sorted(disks.split()) == ["/dev/nvme0n1", "/dev/nvme1n1"]


def test_another_machine_is_refused(stick: Path, root: Scratch):
    unpack(stick, root, "corvette")
    root.dmi(serial="FALC0N1")
    done = root.shell(
        '. /ventoy-kit/lib.sh; . /ventoy-kit/identity.sh; vk_load proxmox && vk_identify; echo "$VK_CODE"'
    )
    assert done.stdout.strip().splitlines()[-1] == "VK-B10"


def test_each_answer_is_toml_with_the_placeholder_as_its_only_disk(stick: Path, root: Scratch):
    unpack(stick, root, "auto")
    for node in ("falcon", "corvette", "gozanti"):
        answer = tomllib.loads(root.read(f"ventoy-kit/nodes/{node}/answer.toml"))
        assert answer["disk-setup"]["disk-list"] == ["@VENTOY_KIT_DISKS@"]
        assert answer["global"]["fqdn"] == f"{node}.alliance.example"


def test_each_runner_is_put_together_from_the_parts_in_the_archive(stick: Path, root: Scratch):
    unpack(stick, root, "auto")
    (archive,) = stick.glob("ventoy/alliance/*/proxmox-ve/overlay.tar.bz2")
    files = unpack_archive(archive.read_bytes())
    for node in ("falcon", "corvette", "gozanti"):
        done = root.shell(f'. /ventoy-kit/lib.sh; vk_put_runner {node} /whole || echo "$VK_CODE $VK_DETAIL"')
        assert done.stdout == ""
        whole = (root.path / "whole").read_bytes()
        assert whole == runner_in(files, node)
        assert f"\nVK_NODE={node}\n".encode() in whole
        assert whole.endswith(b'\nmain "$@"\n')
    done = root.shell('. /ventoy-kit/lib.sh; vk_put_runner falcon /no/folder 2>&1; echo "$VK_CODE"')
    assert done.stdout.endswith("VK-B42\n")
