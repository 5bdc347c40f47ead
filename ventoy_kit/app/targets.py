"""The TARGET of a command: the one that was named, or the one stick that is plugged in."""

from __future__ import annotations

from ventoy_kit.app.host import Host
from ventoy_kit.edge.devices import Devices
from ventoy_kit.edge.targets import examine_target, find_stick
from ventoy_kit.report import Report
from ventoy_kit.stick.target import Candidate


def choose_target(target: str | None, host: Host) -> tuple[Candidate | None, Report]:
    """Find and judge a target; None with the reasons if it is refused.

    Raises:
        StorageError: the devices cannot be listed, or one went away.
    """
    devices = Devices(host.process)
    if target is None:
        return find_stick(host.process, devices)
    return examine_target(host.process, devices, target)
