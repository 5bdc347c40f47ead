"""The kit's entries of Ventoy's configuration, in the toolbox state: nothing starts by itself.

Ventoy's reader (ventoy_json.c, ventoy_plugin.c) decodes no escapes, reads one member per object of `control`, wants
strings there and integers for `autosel` and `timeout`; so nothing here holds a character that JSON would escape.
"""

from __future__ import annotations

from typing import Any

from ventoy_kit.payload.ticket import AUTO
from ventoy_kit.plan.model import ImagePlan, Plan

ISO_FOLDER = "iso"


def iso_path(image: ImagePlan) -> str:
    """Where an image lies, from the stick's root."""
    return f"{ISO_FOLDER}/{image.file_name}"


def image_folder(plan: Plan, generation: str, image: ImagePlan) -> str:
    """Folder of an image's tickets, archive and menu, from the stick's root. The menu shows it: short, readable."""
    return f"ventoy/{plan.fleet}/{generation}/{image.id}"


def toolbox_config(plan: Plan, generation: str, menus: dict[str, str]) -> dict[str, Any]:
    """Our entries by plugin.

    Args:
        plan: the plan.
        generation: names the folder that the entries point into.
        menus: path on the ISO of the boot menu that is replaced, by image id.

    In `auto_install`, `autosel: 0` puts the cursor on "without template" and `timeout: 0` makes the menu wait for ever
    (ventoy_cmd.c, ventoy_auto_install_menu).
    """
    config: dict[str, Any] = {
        "auto_install": [],
        "injection": [],
        "conf_replace": [],
        "menu_alias": [],
        "menu_tip": [],
    }
    for image in plan.images:
        path, folder = f"/{iso_path(image)}", f"/{image_folder(plan, generation, image)}"
        if image.delivery == "none":
            config["menu_alias"].append({"image": path, "alias": image.title})
            continue
        nodes = plan.nodes_of(image.id)
        tickets = [f"{folder}/{name}" for name in (AUTO, *(n.name for n in nodes))]
        config["auto_install"].append({"image": path, "template": tickets, "autosel": 0, "timeout": 0})
        config["injection"].append({"image": path, "archive": f"{folder}/overlay.tar.bz2"})
        config["conf_replace"].append({"iso": path, "org": menus[image.id], "new": f"{folder}/grub.cfg"})
        config["menu_alias"].append({"image": path, "alias": f"{image.title} - {plan.title}"})
        config["menu_tip"].append(
            {
                "image": path,
                "tip1": "Manual installation: Enter, normal mode, no template.",
                "tip2": f"Unattended: normal mode, a template ({AUTO} or a node); it asks for the node name first.",
            }
        )
    return config
