"""The rendered first-boot script, run for real in a scratch root."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.hooks.scratch_root import HOOKS, NODE, ScratchRoot, hook, shipped, texts
from ventoy_kit.fleet.hooks import HookSpec
from ventoy_kit.payload.runner import RunnerHook, RunnerNode, render_runner

TOOLS = pytest.mark.needs_tool("unshare", "chroot", "dash", "flock", "timeout", "mawk", "iconv")

GOOD = """
case $1 in
apply) [ -e /etc/good ] || { echo x >/etc/good; vk_changed /etc/good; } ;;
verify) [ -e /etc/good ] || vk_fail "/etc/good is gone" ;;
esac
"""
BAD = 'case $1 in apply) echo tried >>/calls/bad; echo noise; vk_fail "the sky \\"fell\\"" ;; esac\n'


@pytest.fixture
def scratch(tmp_path: Path) -> ScratchRoot:
    return ScratchRoot(tmp_path / "root")


def report_of(scratch: ScratchRoot) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(
        (scratch.root / "var/lib/ventoy-kit/report.json").read_bytes().decode()
    )
    return report


def statuses(scratch: ScratchRoot) -> dict[str, str]:
    return {h["name"]: h["status"] for h in report_of(scratch)["hooks"]}


@pytest.mark.needs_root
@TOOLS
class TestRun:
    def test_proxmox_argument_installs_starts_without_blocking_and_ends_0(self, scratch):
        scratch.place([hook("good", GOOD)])
        done = scratch.run("fully-up")
        assert done.returncode == 0, done.stderr
        assert scratch.calls() == [
            "systemctl enable ventoy-kit-first-boot.service",
            "systemctl daemon-reload",
            "systemctl start --no-block ventoy-kit-first-boot.service",
        ]
        assert scratch.read("etc/systemd/system/ventoy-kit-first-boot.service") == texts().unit
        assert not (scratch.root / "etc/good").exists()  # nothing ran yet
        assert statuses(scratch) == {"good": "pending"}
        installed = scratch.root / ".local/lib/ventoy-kit"
        assert (installed / "first-boot").read_bytes() == (scratch.root / "first-boot").read_bytes()
        assert all(p.stat().st_mode & 0o077 == 0 for p in installed.rglob("*"))

    def test_debian_argument_only_installs_and_enables(self, scratch):
        scratch.place([hook("good", GOOD)])
        assert scratch.run("install").returncode == 0
        assert scratch.calls() == ["systemctl enable ventoy-kit-first-boot.service"]

    def test_second_run_changes_nothing(self, scratch):
        scratch.place([hook("good", GOOD), hook("also", GOOD)])
        assert scratch.run("install").returncode == 0
        first = scratch.run("run")
        assert first.returncode == 0, first.stdout + first.stderr
        assert statuses(scratch) == {"good": "changed", "also": "unchanged"}
        assert scratch.calls()[-1] == "systemctl disable ventoy-kit-first-boot.service"
        digest = report_of(scratch)["hooks"][0]["digest"]
        assert (scratch.root / f"var/lib/ventoy-kit/done/good@{digest}").exists()
        before = scratch.tree()
        assert scratch.run("install").returncode == 0
        assert scratch.run("run").returncode == 0
        assert scratch.tree() == before

    def test_a_failed_hook_is_reported_and_stops_no_other(self, scratch):
        hooks = [hook("bad", BAD), hook("good", GOOD), hook("needy", GOOD, after=["bad"])]
        scratch.place(hooks)
        scratch.run("install")
        done = scratch.run("run")
        assert done.returncode == 1
        report = report_of(scratch)
        assert statuses(scratch) == {"bad": "failed", "good": "changed", "needy": "skipped"}
        assert report["hooks"][0]["reason"] == 'the sky "fell"'
        assert report["hooks"][2]["reason"] == "needs bad, which has not succeeded"
        assert report["hooks"][1]["changes"] == ["/etc/good"]
        assert report["state"] == "unfinished"
        assert b"bad| noise" in done.stdout  # the journal
        assert "noise" in scratch.read("var/log/ventoy-kit/bad.log")
        assert 'the sky "fell"' in scratch.read("etc/motd.d/ventoy-kit")
        assert "systemctl disable ventoy-kit-first-boot.service" not in scratch.calls()

    def test_three_boots_are_tried_then_it_gives_up_and_disables_itself(self, scratch):
        scratch.place([hook("bad", BAD)])
        scratch.run("install")
        for boot in range(1, 6):
            scratch.reboot(boot)
            assert scratch.run("run").returncode == 1
        assert scratch.read("calls/bad") == "tried\n" * 3
        assert report_of(scratch)["state"] == "failed"
        assert report_of(scratch)["hooks"][0]["attempts"] == 3
        assert "systemctl disable ventoy-kit-first-boot.service" in scratch.calls()

    def test_a_failure_that_passes_succeeds_later(self, scratch):
        script = 'case $1 in apply) [ -e /etc/now ] || vk_fail "not yet"; vk_changed it ;; esac\n'
        scratch.place([hook("late", script), hook("needy", GOOD, after=["late"])])
        scratch.run("install")
        assert scratch.run("run").returncode == 1
        scratch.write("etc/now", "")
        scratch.reboot(2)
        assert scratch.run("run").returncode == 0
        assert statuses(scratch) == {"late": "changed", "needy": "changed"}
        assert report_of(scratch)["state"] == "done"

    def test_a_destructive_hook_is_never_retried(self, scratch):
        scratch.place([hook("bad", BAD, destructive=True)])
        scratch.run("install")
        scratch.run("run")
        scratch.reboot(2)
        assert scratch.run("run").returncode == 1
        assert scratch.read("calls/bad") == "tried\n"
        assert report_of(scratch)["state"] == "failed"

    def test_a_hook_that_took_the_machine_down_was_counted_before(self, scratch):
        script = 'case $1 in apply) echo tried >>/calls/bad; kill -9 "$(cat /calls/pid)"; sleep 5 ;; esac\n'
        scratch.place([hook("killer", script, destructive=True)])
        scratch.run("install")
        done = scratch.execute("/bin/sh", "-c", "/bin/dash /first-boot run & echo $! >/calls/pid; wait $!")
        assert done.returncode == 128 + 9
        scratch.reboot(2)
        assert scratch.run("run").returncode == 1
        assert scratch.read("calls/bad") == "tried\n"
        assert "broke off" in report_of(scratch)["hooks"][0]["reason"]

    def test_reboot_comes_once_and_verify_after_it(self, scratch):
        script = """
case $1 in
apply) vk_changed loader ;;
verify) grep -q boot-2 /proc/sys/kernel/random/boot_id || vk_fail early; echo ok >>/calls/verified ;;
esac
"""
        hooks = [hook("one", script, needs_reboot=True), hook("two", script, needs_reboot=True)]
        scratch.place([*hooks, hook("needy", GOOD, after=["one"])])
        scratch.run("install")
        assert scratch.run("run").returncode == 0
        assert scratch.calls()[-1] == "systemctl reboot"
        assert statuses(scratch) == {"one": "waiting", "two": "waiting", "needy": "skipped"}
        scratch.reboot(2)
        assert scratch.run("run").returncode == 0
        assert scratch.read("calls/verified") == "ok\nok\n"
        assert scratch.calls().count("systemctl reboot") == 1
        assert statuses(scratch) == {"one": "changed", "two": "changed", "needy": "changed"}
        assert report_of(scratch)["reboots"] == 1

    def test_reboot_budget(self, scratch):
        script = "case $1 in apply) vk_changed it ;; esac\n"
        names = ["h1", "h2", "h3", "h4"]
        before = [[], ["h1"], ["h2"], ["h3"]]  # each can only start after the reboot of the one before
        scratch.place(
            [hook(n, script, needs_reboot=True, after=a) for n, a in zip(names, before, strict=True)]
        )
        scratch.run("install")
        for boot in range(1, 7):
            scratch.reboot(boot)
            done = scratch.run("run")
        assert done.returncode == 1
        assert scratch.calls().count("systemctl reboot") == 3
        assert statuses(scratch) == {"h1": "changed", "h2": "changed", "h3": "changed", "h4": "failed"}
        assert "budget of 3 reboots" in report_of(scratch)["hooks"][3]["reason"]
        assert report_of(scratch)["state"] == "failed"
        assert scratch.calls()[-1] == "systemctl disable ventoy-kit-first-boot.service"

    def test_a_reboot_that_was_not_counted_does_not_happen(self, scratch):
        script = "case $1 in apply) vk_changed it ;; esac\n"
        scratch.place([hook("one", script, needs_reboot=True)])
        scratch.run("install")
        (scratch.root / "var/lib/ventoy-kit/reboots@0a1b2c3d.new").mkdir()  # the count cannot be written
        assert scratch.run("run").returncode != 0
        assert "systemctl reboot" not in scratch.calls()

    def test_time_limit_holds_though_the_hook_leaves_a_process_behind(self, scratch):
        slow = "case $1 in apply) setsid sleep 60 & sleep 60 ;; esac\n"
        scratch.place([hook("slow", slow, timeout=1), hook("good", GOOD)])
        scratch.run("install")
        assert scratch.run("run").returncode == 1
        assert report_of(scratch)["hooks"][0]["reason"] == "apply took longer than 1 s"
        assert statuses(scratch)["good"] == "changed"

    def test_two_runs_never_overlap(self, scratch):
        waits = "case $1 in apply) : >/calls/begun; while [ ! -e /calls/go ]; do sleep 0.05; done ;; esac\n"
        scratch.place([hook("slow", waits)])
        scratch.run("install")
        script = """
/bin/dash /first-boot run & first=$!
while [ ! -e /calls/begun ]; do sleep 0.05; done
/bin/dash /first-boot run; echo "second $?" >/calls/codes
touch /calls/go; wait "$first"; echo "first $?" >>/calls/codes
"""
        done = scratch.execute("/bin/dash", "-c", script)
        assert scratch.read("calls/codes") == "second 1\nfirst 0\n", done.stderr

    def test_unsupported_system_and_self_chosen_skip(self, scratch):
        skip = 'case $1 in apply) vk_skip "no such chip" ;; verify) exit 1 ;; esac\n'
        hooks = [
            hook("pve", GOOD, systems={"proxmox-ve": ["9"]}),
            hook("chip", skip),
            hook("next", GOOD, after=["chip"]),
        ]
        scratch.place(hooks)
        scratch.run("install")
        assert scratch.run("run").returncode == 0
        by_name = {h["name"]: (h["status"], h["reason"]) for h in report_of(scratch)["hooks"]}
        assert by_name["pve"] == ("skipped", "not made for debian 12")
        assert by_name["chip"] == ("skipped", "no such chip")
        assert by_name["next"][0] == "changed"
        verified = scratch.run("verify")
        assert verified.returncode == 0, verified.stdout

    def test_proxmox_is_recognised_by_its_package(self, scratch):
        scratch.stub("dpkg-query", "printf 9.0.3")
        scratch.place(
            [hook("pve", 'echo "$VK_FAMILY $VK_RELEASE" >/calls/system\n', systems={"proxmox-ve": ["9"]})]
        )
        scratch.run("install")
        assert scratch.run("run").returncode == 0
        assert scratch.read("calls/system") == "proxmox-ve 9\n"

    def test_without_network_a_hook_that_needs_it_is_not_started(self, scratch):
        scratch.place([hook("net", "echo ran >>/calls/net\n", needs_network=True), hook("good", GOOD)])
        scratch.run("install")
        assert scratch.run("run", net=False).returncode == 1
        assert statuses(scratch) == {"net": "failed", "good": "changed"}
        assert "no default route" in report_of(scratch)["hooks"][0]["reason"]
        assert not (scratch.root / "calls/net").exists()

    @pytest.mark.needs_tool("ip")
    def test_a_missing_network_does_not_use_up_a_destructive_hook(self, scratch):
        script = "case $1 in apply) echo ran >>/calls/net ;; esac\n"
        scratch.place([hook("net", script, needs_network=True, destructive=True)])
        scratch.run("install")
        scratch.run("run", net=False)
        scratch.reboot(2)
        with_route = "ip link set lo up && ip route add default dev lo && exec /bin/dash /first-boot run"
        assert scratch.execute("/bin/dash", "-c", with_route, net=False).returncode == 0
        assert scratch.read("calls/net") == "ran\n"

    def test_verify_shows_drift_and_writes_nothing(self, scratch):
        scratch.place([hook("good", GOOD), hook("fine", "")])
        scratch.run("install")
        scratch.run("run")
        assert scratch.run("verify").stdout == b"ok good\nok fine\n"
        (scratch.root / "etc/good").unlink()
        before = scratch.tree()
        done = scratch.run("verify")
        assert (done.returncode, done.stdout) == (1, b"drift good: /etc/good is gone\nok fine\n")
        assert scratch.tree() == before
        assert b"changed    good" in scratch.run("status").stdout

    def test_a_named_hook_runs_again_and_other_parameters_run_by_themselves(self, scratch):
        count = 'case $1 in apply) echo "$VK_PARAM_WORD" >>/calls/words ;; esac\n'
        word = {"word": {"type": "string", "description": "a word"}}
        scratch.place([hook("count", count, {"word": "a"}, parameters=word)])
        scratch.run("install")
        scratch.run("run")
        scratch.run("run")
        assert scratch.run("run", "count").returncode == 0
        scratch.place([hook("count", count, {"word": "b"}, parameters=word)])
        scratch.run("install")
        scratch.run("run")
        assert scratch.read("calls/words") == "a\na\nb\n"
        assert scratch.run("run", "nonsense").returncode == 1

    def test_nothing_runs_from_a_truncated_script(self, scratch):
        scratch.place([hook("good", GOOD)])
        whole = (scratch.root / "first-boot").read_bytes()
        for part in (1, 2, 3):
            scratch.write("first-boot", whole[: len(whole) * part // 4], 0o700)
            scratch.run("fully-up")
        assert scratch.calls() == []

    def test_a_full_disk_is_no_success(self, scratch):
        scratch.place([hook("good", GOOD)])
        full = "mkdir -p /usr/local/lib && mount -t tmpfs -o size=16k none /usr/local/lib"
        done = scratch.execute("/bin/dash", "-c", f"{full} && exec /bin/dash /first-boot fully-up")
        assert done.returncode != 0
        assert not any("start" in call for call in scratch.calls())

    def test_report_is_json_whatever_a_hook_says(self, scratch):
        nasty = 'printf \'failed \\377\\376 "q" \\\\n \\t \\001 \\303\\244 </x> $(id)\\n\' >>"$VK_RESULT"; exit 1\n'
        scratch.place([hook("nasty", nasty)], RunnerNode("falcon", "a'b", 'T"$(id)\\ü', "0a"))
        scratch.run("install")
        scratch.run("run")
        reason = report_of(scratch)["hooks"][0]["reason"]
        assert '"q" \\n' in reason
        assert "ä </x> $(id)" in reason
        assert report_of(scratch)["fleet"] == "a'b"

    @pytest.mark.parametrize(
        "value",
        [
            'it\'s "quoted"',
            "$(touch /calls/owned) `touch /calls/owned` ${HOME}",
            "line\nline\n\n",
            "-n -e --help",
            "\\ \\n \\c %s *",
            "größe Á\u0081\u0088ā 日本 \U0001f680",
            "\x01\x7f\r\t ",
            "VK_END\nEOF\n",
            "V\x80\nVK_ä",
            "x" * 65536,
            "",
        ],
    )
    def test_hostile_parameters_arrive_as_data_and_in_no_log(self, scratch, value):
        params = {"text": {"type": "string", "description": "any"}}
        script = 'case $1 in apply) printf %s "$VK_PARAM_TEXT" >/calls/value ;; esac\n'
        scratch.place([hook("echo", script, {"text": value}, parameters=params)])
        scratch.run("install")
        done = scratch.run("run")
        assert (scratch.root / "calls/value").read_bytes() == value.encode()
        assert not (scratch.root / "calls/owned").exists()
        if len(value) > 8:
            logs = [p.read_bytes() for p in (scratch.root / "var/log").rglob("*") if p.is_file()]
            assert not any(value.encode() in text for text in [done.stdout, done.stderr, *logs])

    @pytest.mark.parametrize("fails", [1, 5])
    def test_what_may_pass_is_tried_again_in_the_same_boot(self, scratch, fails):
        script = f"""
case $1 in apply)
    echo x >>/calls/tries
    [ "$(wc -l </calls/tries)" -gt {fails} ] || vk_later "the lock is held"
    vk_changed it ;;
esac
"""
        once = "case $1 in apply) echo x >>/calls/once ;; esac\n"
        scratch.place([hook("late", script), hook("once", once), hook("needy", GOOD, after=["late"])])
        scratch.run("install")
        assert scratch.run("run").returncode == (0 if fails == 1 else 1)
        late = report_of(scratch)["hooks"][0]
        assert late["attempts"] == 1  # one boot
        assert scratch.read("calls/once") == "x\n"
        if fails == 1:
            assert statuses(scratch) == {"late": "changed", "needy": "changed", "once": "unchanged"}
        else:
            assert scratch.read("calls/tries") == "x\n" * 4
            assert (late["status"], late["reason"]) == ("failed", "the lock is held")
            scratch.reboot(2)
            assert scratch.run("run").returncode == 0

    def test_what_never_passes_is_given_up_after_three_boots(self, scratch):
        scratch.place([hook("late", 'case $1 in apply) echo x >>/calls/tries; vk_later "held" ;; esac\n')])
        scratch.run("install")
        for boot in range(1, 6):
            scratch.reboot(boot)
            assert scratch.run("run").returncode == 1
        assert scratch.read("calls/tries") == "x\n" * 4 * 3
        assert report_of(scratch)["state"] == "failed"

    def test_a_destructive_hook_is_not_tried_again_in_the_same_boot_either(self, scratch):
        script = 'case $1 in apply) echo x >>/calls/tries; vk_later "busy" ;; esac\n'
        scratch.place([hook("wipe", script, destructive=True)])
        scratch.run("install")
        assert scratch.run("run").returncode == 1
        assert scratch.read("calls/tries") == "x\n"

    def test_facts_are_read_by_names_of_columns(self, scratch):
        table = (
            "name\tmac\ttitle\nlan0\t02:00:00:00:00:01\t$(touch /calls/owned) 'x'\nlan1\t02:00:00:00:00:02\t-"
        )
        script = """
[ "$1" = apply ] || exit 0
vk_fact nics lan1 mac >/calls/mac
vk_rows nics title name | while IFS="$VK_TAB" read -r title name; do echo "$name: $title"; done >/calls/rows
vk_fact nics lan9 mac || echo none >/calls/none
vk_fact disks a serial
"""
        made = hook("nics", script, facts=["nics"])
        scratch.place([RunnerHook(made.spec, {}, {"nics": table})])
        scratch.run("install")
        assert scratch.run("run").returncode == 1
        assert scratch.read("calls/mac") == "02:00:00:00:00:02\n"
        assert scratch.read("calls/rows") == "lan0: $(touch /calls/owned) 'x'\nlan1: -\n"
        assert scratch.read("calls/none") == "none\n"
        assert report_of(scratch)["hooks"][0]["reason"] == "hook.yaml does not say facts: [disks]"

    def test_a_hook_that_says_it_failed_has_failed(self, scratch):
        scratch.place([hook("liar", 'case $1 in verify) vk_drift "it differs" ;; esac\n')])
        scratch.run("install")
        assert scratch.run("run").returncode == 1
        assert report_of(scratch)["hooks"][0]["reason"] == "it differs"

    def test_a_disk_that_is_full_while_running_is_told_at_login(self, scratch):
        scratch.place([hook("good", GOOD), hook("fill", "case $1 in apply) vk_note full ;; esac\n")])
        scratch.run("install")
        full = (
            "cp -a /var/lib/ventoy-kit /calls/state && mount -t tmpfs -o size=64k none /var/lib/ventoy-kit"
            " && cp -a /calls/state/. /var/lib/ventoy-kit && { cat /dev/zero >/var/lib/ventoy-kit/filler || :; }"
        )
        done = scratch.execute("/bin/dash", "-c", f"{full}; exec /bin/dash /first-boot run")
        assert done.returncode != 0
        assert not (scratch.root / "etc/good").exists()  # an attempt that cannot be counted does not happen
        assert "Is a disk full?" in scratch.read("run/motd.d/ventoy-kit-stopped")
        assert scratch.run("run").returncode == 0
        assert not (scratch.root / "run/motd.d/ventoy-kit-stopped").exists()

    def test_environment_is_fixed_and_lists_are_lines(self, scratch):
        params = {
            "keys": {"type": "list", "description": "some"},
            "on": {"type": "boolean", "description": "switch"},
            "size": {"type": "integer", "description": "number"},
        }
        scratch.env["SECRET_OF_THE_CALLER"] = "x"
        given = {"keys": ["a b", "$c"], "on": True, "size": 7}
        scratch.place([hook("env", "env >/calls/env\n", given, parameters=params)])
        scratch.run("install")
        scratch.run("run")
        text = scratch.read("calls/env")
        assert "VK_PARAM_KEYS=a b\n$c\n" in text
        assert "VK_PARAM_ON=true\n" in text
        assert "VK_PARAM_SIZE=7\n" in text
        assert "HOME=/root\n" in text
        assert "SECRET" not in text


@pytest.mark.needs_tool("shellcheck")
def test_shellcheck_finds_nothing(tmp_path):
    rendered = tmp_path / "first-boot"
    hooks = [shipped("clean-boot"), shipped("repos"), shipped("ssh", authorized_keys=[])]
    rendered.write_bytes(render_runner(texts(), NODE, hooks).whole)
    scripts = [str(p) for p in sorted(HOOKS.glob("*/*.sh"))]
    assert len(scripts) >= 5
    done = subprocess.run(["shellcheck", *scripts, str(rendered)], capture_output=True, text=True)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.needs_tool("systemd-analyze")
def test_unit_is_one_that_systemd_accepts(tmp_path):
    unit = tmp_path / "ventoy-kit-first-boot.service"
    # The program is not installed on the test machine; everything else is checked as it is.
    unit.write_text(texts().unit.replace("ExecStart=/bin/sh /usr/local", "ExecStart=/bin/sh /nowhere"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert "ventoy-kit-first-boot" not in done.stderr


def test_hook_without_parameters_is_rendered() -> None:
    spec: HookSpec = hook("plain", "").spec
    assert b"plain)" in render_runner(texts(), NODE, [RunnerHook(spec, {})]).own
