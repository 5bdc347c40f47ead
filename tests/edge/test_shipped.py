"""The data folders that come with the kit are found, in a checkout and in an installed package."""

from pathlib import Path

from ventoy_kit.edge import shipped
from ventoy_kit.edge.shipped import data_root

FOLDERS = {
    "answer_files",
    "catalog",
    "hooks",
    "bios_profiles",
    "boot_overlay",
    "examples",
    "probes",
    "rehearsals",
}


def test_a_checkout_has_them_beside_the_package():
    assert {p.name for p in data_root().iterdir()} >= FOLDERS


def test_an_installed_package_has_them_inside(tmp_path, monkeypatch):
    (tmp_path / "ventoy_kit/edge").mkdir(parents=True)
    (tmp_path / "ventoy_kit/_data").mkdir()
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "ventoy_kit/edge/shipped.py"))
    assert data_root() == tmp_path / "ventoy_kit/_data"


def test_the_wheel_takes_all_of_them():
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    include = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert include == {name: f"ventoy_kit/_data/{name}" for name in FOLDERS}
