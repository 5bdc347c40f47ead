"""All rules of the kit, by code."""

from ventoy_kit.answers import codes as answer_codes
from ventoy_kit.answers import preseed_codes
from ventoy_kit.app import codes as app_codes
from ventoy_kit.blueprint import codes as blueprint_codes
from ventoy_kit.cluster import codes as cluster_codes
from ventoy_kit.fleet import codes as fleet_codes
from ventoy_kit.fleet import hook_codes
from ventoy_kit.gather import codes as gather_codes
from ventoy_kit.hardware import codes as hardware_codes
from ventoy_kit.hardware import firmware_codes, inventory_codes
from ventoy_kit.images import apt_codes, catalog_codes, fetch_codes, trust_codes
from ventoy_kit.images import codes as image_codes
from ventoy_kit.payload import codes as payload_codes
from ventoy_kit.plan import codes as plan_codes
from ventoy_kit.rehearse import codes as rehearse_codes
from ventoy_kit.report import Rule
from ventoy_kit.stick import arm_codes, config_codes, reconcile_codes
from ventoy_kit.stick import codes as target_codes

_MODULES = (
    answer_codes,
    app_codes,
    apt_codes,
    blueprint_codes,
    catalog_codes,
    cluster_codes,
    arm_codes,
    config_codes,
    fetch_codes,
    firmware_codes,
    fleet_codes,
    gather_codes,
    hardware_codes,
    hook_codes,
    image_codes,
    inventory_codes,
    payload_codes,
    plan_codes,
    preseed_codes,
    reconcile_codes,
    rehearse_codes,
    target_codes,
    trust_codes,
)

RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in sorted(
        (value for module in _MODULES for value in vars(module).values() if isinstance(value, Rule)),
        key=lambda rule: rule.code,
    )
}
"""Rules by code, sorted."""
