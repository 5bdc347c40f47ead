"""Fleet and inputs become a plan: defaults applied, order fixed, secrets out of sight."""

from __future__ import annotations

from dataclasses import replace

from tests.support.fleets import BASE, READY_HASH, as_yaml, base_fleet, iso, library, node, plan_of
from ventoy_kit.plan.compose import compose
from ventoy_kit.plan.inputs import Inputs


def test_defaults_apply_unless_the_node_says_otherwise():
    plan = plan_of(BASE.read_bytes())
    assert [(n.name, n.image, n.fqdn) for n in plan.nodes] == [
        ("alpha", "proxmox-ve", "alpha.example.org"),
        ("beta", "debian", "beta.example.org"),
    ]
    assert [i.id for i in plan.images] == ["debian", "proxmox-ve"]
    assert plan.title == "demo"


def test_hooks_of_defaults_and_node_run_in_one_order():
    value = base_fleet({"a": node(2, hooks=[{"name": "repos"}])})
    value["defaults"] = {**value["defaults"], "hooks": [{"name": "clean-boot"}, {"name": "ssh"}]}
    (only,) = plan_of(as_yaml(value).encode()).nodes
    assert sorted(h.spec.name for h in only.hooks) == ["clean-boot", "repos", "ssh"]
    assert [h.spec.order for h in only.hooks] == sorted(h.spec.order for h in only.hooks)


def test_an_image_that_no_node_installs_from_gets_no_overlay():
    plan = plan_of(as_yaml(base_fleet({"a": node(2)})).encode())
    assert {i.id: i.delivery for i in plan.images} == {"debian": "none", "proxmox-ve": "overlay"}


def test_titles_of_isos_are_fit_for_the_menu():
    for image in plan_of(BASE.read_bytes()).images:
        assert not set(image.title) & set('"$\\`')
        assert 0 < len(image.title) <= 80


def test_a_plan_does_not_show_its_hashes():
    plan = plan_of(BASE.read_bytes())
    assert plan.nodes[0].root_hash == READY_HASH
    assert READY_HASH not in repr(plan)


def test_disks_and_addresses_stand_in_one_order():
    disks = {
        "z": {"use": "system", "serial": "Z0000001"},
        "a": {"use": "keep", "serial": "A0000001"},
    }
    (only,) = plan_of(as_yaml(base_fleet({"n": node(2, disks=disks)})).encode()).nodes
    assert [d.name for d in only.disks] == ["a", "z"]
    assert [d.name for d in only.disks_for("system")] == ["z"]


def test_an_assembled_image_is_named_in_the_menu_without_how_it_was_made():
    debian = iso("debian-13.1.0-amd64-netinst.iso")
    title = "Debian GNU/Linux 13 netboot, assembled by ventoy-kit from debian-installer-13-netboot-amd64 2025"
    assembled = replace(debian, facts=replace(debian.facts, title=title, release="13"))
    fleet = plan_of(BASE.read_bytes()).blueprint.fleet
    inputs = Inputs(
        library(), dict.fromkeys(fleet.images, assembled), dict.fromkeys(fleet.secrets, READY_HASH), {}
    )
    assert {i.title for i in compose(fleet, inputs).images} == {"Debian GNU/Linux 13 netboot"}
