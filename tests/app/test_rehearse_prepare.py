"""What a rehearsal takes out of a build."""

from __future__ import annotations

import pytest

from ventoy_kit.app.rehearse_prepare import built_runner
from ventoy_kit.errors import MachineError

OWN = "ventoy-kit/nodes/a/first-boot"
WHOLE = {
    OWN: (b"own\n", 0o600),
    f"{OWN}.rest": (b"0123 4567\n", 0o600),
    "ventoy-kit/runners/0123": (b"rest\n", 0o644),
}


def test_a_runner_is_put_together():
    assert built_runner(WHOLE, "a") == b"own\nrest\n"
    assert built_runner(WHOLE, "b") is None


@pytest.mark.parametrize("part", [f"{OWN}.rest", "ventoy-kit/runners/0123"])
def test_a_build_without_a_part_of_a_runner_is_made_again(part):
    with pytest.raises(MachineError) as caught:
        built_runner({path: file for path, file in WHOLE.items() if path != part}, "a")
    assert "build" in caught.value.hint
