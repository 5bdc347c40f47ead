"""The probe and its facts: what is read, what is not, and how the vendors' drivers differ."""

from __future__ import annotations

import ast
import json
import tempfile
from pathlib import Path

import pytest

from tests.support import machines
from tests.support.machines import machine, probed
from ventoy_kit.hardware.firmware import FirmwareFacts, parse_facts, read_attribute


def facts(text: str) -> FirmwareFacts:
    found, report = parse_facts(text, "facts.json")
    assert found is not None, list(report)
    return found


def test_the_probe_is_old_python_and_only_reads():
    tree = ast.parse(machines.FIRMWARE_PROBE, feature_version=(3, 7))
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert imported == {"argparse", "json", "os", "platform", "re", "subprocess", "sys", "time"}
    called = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    opened = [n for n in called if isinstance(n.func, ast.Name) and n.func.id == "open"]
    modes = [arg.value for n in opened for arg in n.args[1:] if isinstance(arg, ast.Constant)]
    assert modes == ["rb"]
    of_os = {
        n.func.attr for n in called if isinstance(n.func, ast.Attribute) and ast.unparse(n.func.value) == "os"
    }
    assert of_os == {"listdir", "readlink", "geteuid"}
    programs = [n for n in called if isinstance(n.func, ast.Attribute) and n.func.attr == "run"]
    assert [ast.unparse(n.func) for n in programs] == ["subprocess.run"]  # nothing calls Tree.run


def test_one_line_of_json_with_everything(tmp_path):
    root = machine(tmp_path, driver="dell-wmi-sysman", attributes=machines.OPTIPLEX_7090)
    text = probed(root)
    assert text.count("\n") == 1
    assert "hunter2" not in text
    found = facts(text)
    assert (found.uefi, found.kernel, found.iommu.groups) == (True, "6.17.9-1-pve", 12)
    assert found.iommu.parameters == ("iommu=pt",)
    assert found.variable("SecureBoot") == b"\0"
    assert found.dmi_text("product_serial") == "ABC1234"
    (interface,) = found.attributes
    assert interface.settings.keys() == machines.OPTIPLEX_7090.keys()
    assert found.cpu.flags == ("vmx",)


def test_an_empty_machine_gives_facts_too(tmp_path):
    found = facts(probed(tmp_path))
    assert (found.uefi, found.pci, found.acpi_tables, found.efi_variables) == (False, None, None, None)


def test_this_machine_can_be_looked_at():
    assert facts(probed(Path("/"))).clock


@pytest.mark.parametrize(
    ("driver", "attributes", "name", "current", "possible"),
    [
        ("dell-wmi-sysman", machines.XPS_9310, "securEBoot", "Enabled", ("Disabled", "Enabled")),
        (
            "thinklmi",
            machines.THINKCENTRE,
            "AfterPowerLoss",
            "Last State",
            ("Last State", "Power On", "Power Off"),
        ),
        ("thinklmi", machines.P620_OLD_KERNEL, "SecureBoot", "Disable", ("Disable", "Enable")),
        ("thinklmi", machines.P620_OLD_KERNEL, "VTdFeature", "Disable", ("Disable", "Enable")),
        ("thinklmi", machines.P620_OLD_KERNEL, "ConfigureSATAas", "AHCI", ()),
        (
            "hp-bioscfg",
            machines.ELITEDESK,
            "Virtualization Technology for Directed I/O (VTd)",
            "Disable",
            ("Disable", "Enable"),
        ),
        ("thinklmi", {"SecureBoot": ("Off", "Off;On")}, "Secure Boot", "Off", ("Off", "On")),
    ],
)
def test_the_drivers_differences_are_taken_away(tmp_path, driver, attributes, name, current, possible):
    found = facts(probed(machine(tmp_path, driver=driver, attributes=attributes)))
    reading = read_attribute(found, driver, name)
    assert reading is not None
    assert (reading.current, reading.possible) == (current, possible)
    assert read_attribute(found, driver, "NoSuchThing") is None
    assert read_attribute(found, "no-driver", name) is None


@pytest.mark.needs_root
def test_without_root_a_value_is_not_readable_and_never_a_value():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        root = Path(folder)
        root.chmod(0o755)
        machine(root, driver="dell-wmi-sysman", attributes=machines.XPS_9310)
        for file in root.rglob("current_value"):
            file.chmod(0o600)
        found = facts(probed(root, nobody=True))
    reading = read_attribute(found, "dell-wmi-sysman", "SecureBoot")
    assert reading is not None
    assert (found.root, reading.current, reading.error) == (False, None, "Permission denied")
    assert reading.possible == ("Disabled", "Enabled")


def test_an_empty_value_is_not_readable_either(tmp_path):
    text = probed(
        machine(tmp_path, driver="dell-wmi-sysman", attributes={"SecureBoot": ("", "Disabled;Enabled;")})
    )
    data = json.loads(text)
    for root, why in ((True, "it is empty"), (False, "only root may read it")):
        data["firmware"]["root"] = root
        reading = read_attribute(facts(json.dumps(data)), "dell-wmi-sysman", "SecureBoot")
        assert reading is not None
        assert (reading.current, reading.error) == (None, why)


def test_a_talkative_login_does_no_harm(tmp_path):
    found = facts("Welcome!\n{broken\n" + probed(machine(tmp_path)))
    assert found.uefi


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no JSON document"),
        ("[]", "no JSON document"),
        ("hello", "no JSON document"),
        ("[" * 100_000, "no JSON document"),
        ("{}", "the format None"),
        ('{"format": true, "firmware": {}}', "the format True"),
        ('{"format": 2, "firmware": {}}', "the format 2"),
        ('{"format": 1}', "no section `firmware`"),
        ('{"format": 1, "firmware": []}', "no section `firmware`"),
        ('{"format": 1, "firmware": {"uefi": "yes"}}', "damaged at firmware.uefi"),
        ('{"format": 1, "firmware": {"pci": [{}]}}', "damaged at firmware.pci.0.address"),
        ('{"format": 1, "firmware": {"attributes": [{"driver": "x", "settings": {"a": 5}}]}}', "settings.a"),
    ],
)
def test_what_are_no_facts_is_a_finding(text, said):
    found, report = parse_facts(text, "facts.json")
    (finding,) = report
    assert found is None
    assert (finding.rule.code, finding.place and finding.place.file) == ("VK-L03", "facts.json")
    assert said in finding.message


def test_sections_of_other_probes_and_later_keys_are_passed_over():
    text = '{"format": 1, "disks": [], "firmware": {"later": 1, "uefi": true, "efi_variables": {"SecureBoot": "zz"}}}'
    found = facts(text)
    assert found.uefi
    assert found.variable("SecureBoot") is None
