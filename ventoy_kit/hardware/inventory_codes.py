"""Rules of recorded hardware facts, and of what they say about the fleet file."""

from ventoy_kit.report import Rule

FACTS_UNREADABLE = Rule(
    "VK-E01",
    "Hardware facts are those that the probe or Proxmox's device-info prints",
    "Facts are the JSON document of `ventoy-kit hardware scan`, or of `proxmox-auto-install-assistant device-info "
    "--format json`.",
)
