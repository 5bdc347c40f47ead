"""Findings about the payload that no fleet file of a few lines shows."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.support.fleets import BASE, as_yaml, base_fleet, library, node, plan_of
from ventoy_kit.payload.render import PATH_LIMIT, render_payload
from ventoy_kit.payload.runner import LIMIT


def test_a_runner_that_the_installer_would_cut_is_refused():
    plan = plan_of(as_yaml(base_fleet({"alpha": node(2, hooks=[{"name": "ssh"}])})).encode())
    (alpha,) = plan.nodes
    noise = random.Random(1).randbytes(LIMIT).hex()  # packs to half its size at best
    spec = alpha.hooks[0].spec.model_copy(update={"script": "#!/bin/sh\n# " + noise + "\n"})
    large = replace(plan, nodes=(replace(alpha, hooks=(replace(alpha.hooks[0], spec=spec),)),))
    payload, report = render_payload(large, library())
    assert payload is None
    assert [(f.rule.code, f.path) for f in report] == [("VK-W05", ("nodes", "alpha", "hooks"))]


def test_a_path_that_ventoy_would_cut_is_refused():
    plan = plan_of(BASE.read_bytes())
    images = tuple(replace(i, file_name="x" * PATH_LIMIT + ".iso") for i in plan.images)
    payload, report = render_payload(replace(plan, images=images), library())
    assert payload is None
    assert {f.rule.code for f in report} == {"VK-W06"}


def test_the_longest_names_still_fit():
    value = base_fleet({"n" * 32: node(2, install={"image": "i" * 32, "filesystem": "ext4"})})
    value["fleet"] = "f" * 16
    value["images"] = {"i" * 32: {"path": "iso/proxmox-ve_9.1-1.iso"}}
    payload, report = render_payload(plan_of(as_yaml(value).encode()), library())
    assert payload is not None
    assert not list(report)
    assert max(len(f.path) for f in payload.files) < PATH_LIMIT


@pytest.mark.parametrize(
    "text",
    [
        "{{ nothing }}",
        "{{ node.__class__.__mro__ }}",
        "{{ 1 / 0 }}",
        "{% for n in range(999999999) %}{% endfor %}",
        "{% for %}",
        "{{ node.name.format.__globals__ }}",
        "{% include 'x' %}",
        "{{ [].append.__self__.pop() }}",
    ],
)
def test_a_template_that_fails_in_whatever_way_is_a_finding(text):
    families = {**library().families}
    families["debian"] = {**families["debian"], "ticket.cfg.j2": text}
    payload, report = render_payload(plan_of(BASE.read_bytes()), replace(library(), families=families))
    assert payload is None
    assert {f.rule.code for f in report} <= {"VK-W01", "VK-W02", "VK-W04"}
    assert report.has_errors
