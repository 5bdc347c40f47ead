"""Where the data folders that come with the kit lie: inside the wheel, or beside the package in a checkout."""

from pathlib import Path


def data_root() -> Path:
    """The folder that holds answer_files, hooks, bios_profiles, boot_overlay, catalog, probes and examples."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_data"
    return installed if installed.is_dir() else package.parent
