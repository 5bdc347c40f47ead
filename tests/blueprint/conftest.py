"""Fleets of a few lines."""

from __future__ import annotations

import pytest

from tests.support.fleets import as_yaml, base_fleet, node
from ventoy_kit.fleet.decode import decode_fleet
from ventoy_kit.fleet.schema import Fleet


@pytest.fixture
def make():
    """A fleet of nodes: `{"n1": {"services": ...}}`; `image` is the node's image."""

    def build(nodes, **top) -> Fleet:
        whole = {}
        for number, (name, more) in enumerate(nodes.items(), start=2):
            inner = dict(more)
            image = inner.pop("image", None)
            whole[name] = node(number, **inner)
            if image is not None:
                whole[name]["install"] = {"image": image, "filesystem": "ext4"}
        fleet, _, report = decode_fleet(as_yaml({**base_fleet(whole), **top}).encode(), "fleet.yaml")
        assert fleet is not None, list(report)
        return fleet

    return build
