"""Starting programs: results, missing programs, deadlines, stdin, locale."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ventoy_kit.edge.process import SystemProcess, bound_to, search_path
from ventoy_kit.errors import InterruptedRunError, MachineError, MissingToolError

PROCESS = SystemProcess({"mkfs.nothing": "nothing-utils"})


def test_exit_code_stdout_and_stderr_come_back():
    assert PROCESS.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=10) == (3, "out\n", "err\n")


def test_a_signal_is_a_negative_exit_code():
    assert PROCESS.run(["sh", "-c", "kill -TERM $$"], timeout=10)[0] == -15


def test_nothing_is_interpreted_by_a_shell():
    assert PROCESS.run(["printf", "%s", "$HOME; `id`"], timeout=10)[1] == "$HOME; `id`"


def test_input_goes_to_stdin_and_without_it_stdin_is_empty():
    assert PROCESS.run(["cat"], timeout=10, input="häuser\n")[1] == "häuser\n"
    assert PROCESS.run(["cat"], timeout=10)[1] == ""


def test_undecodable_output_is_replaced():
    assert PROCESS.run(["printf", r"a\377b"], timeout=10)[1] == "a\N{REPLACEMENT CHARACTER}b"


def test_a_missing_program_names_its_package():
    with pytest.raises(MissingToolError, match=r"mkfs\.nothing is not installed") as caught:
        PROCESS.run(["mkfs.nothing"], timeout=10)
    assert caught.value.hint == "Install the package nothing-utils."


def test_a_missing_program_without_a_known_package_is_named():
    with pytest.raises(MissingToolError) as caught:
        PROCESS.run(["no-such-program-here"], timeout=10)
    assert caught.value.hint == "Install no-such-program-here."


def test_a_deadline_kills_children_too(tmp_path):
    start = time.monotonic()
    script = f"(sleep 2; touch {tmp_path}/late) & sleep 60"
    with pytest.raises(MachineError, match=r"sh did not end within 0\.2 seconds"):
        PROCESS.run(["sh", "-c", script], timeout=0.2)
    assert time.monotonic() - start < 2
    time.sleep(2.2)
    assert not Path(tmp_path, "late").exists()


def test_a_program_that_cannot_start_is_a_machine_error(tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(MachineError, match="could not be started"):
        PROCESS.run([str(broken)], timeout=10)


def test_the_locale_is_fixed(monkeypatch):
    monkeypatch.setenv("LC_MESSAGES", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    out = PROCESS.run(["env"], timeout=10)[1].splitlines()
    assert "LC_ALL=C.UTF-8" in out
    assert "LANGUAGE=" in out
    assert not any(line.startswith("LC_MESSAGES") for line in out)


def test_programs_of_the_administrator_are_found_without_their_path(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/local/bin")
    assert search_path().split(os.pathsep) == ["/usr/local/bin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    assert PROCESS.run(["true"], timeout=10)[0] == 0


def test_a_watched_program_is_looked_at_while_it_runs():
    seen: list[float] = []
    told = PROCESS.watch(
        ["sh", "-c", "echo out; sleep 1; echo err >&2; exit 3"],
        timeout=10,
        tick=lambda: seen.append(time.monotonic()),
    )
    assert told == (3, "out\n", "err\n")
    assert len(seen) >= 2


def test_what_a_watcher_raises_kills_the_program_and_its_children(tmp_path):
    def stop() -> None:
        raise InterruptedRunError("stop")

    start = time.monotonic()
    with pytest.raises(InterruptedRunError):
        PROCESS.watch(["sh", "-c", f"(sleep 2; touch {tmp_path}/late) & sleep 60"], timeout=60, tick=stop)
    assert time.monotonic() - start < 2
    time.sleep(2.2)
    assert not Path(tmp_path, "late").exists()


def test_a_watched_program_has_a_deadline():
    with pytest.raises(MachineError, match=r"sleep did not end within 0\.6 seconds"):
        PROCESS.watch(["sleep", "60"], timeout=0.6, tick=lambda: None)


def test_what_is_bound_to_a_parent_does_not_outlive_it(tmp_path):
    begun = tmp_path / "begun"
    words = bound_to(os.getpid(), ["sh", "-c", f"touch {begun}; exec sleep 60"])
    code = f"import subprocess, time; subprocess.Popen({words!r}); time.sleep(1)"
    subprocess.run([sys.executable, "-c", code], check=True)
    # Its parent was another process than the one that it is bound to, so it did not begin.
    assert not begun.exists()
    child = subprocess.Popen(words)
    while not begun.exists():
        time.sleep(0.01)
    child.kill()
    child.wait()


def test_a_child_dies_with_a_process_that_is_killed(tmp_path):
    pid = tmp_path / "pid"
    code = (
        "import pathlib, time; from ventoy_kit.edge.process import Child\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "child = Child(['sh', '-c', 'echo $$ >pid.new; mv pid.new pid; exec sleep 60'], folder=folder, log=folder / 'log')\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    while not pid.exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    entry = Path("/proc") / pid.read_text().strip()
    end = time.monotonic() + 5
    while entry.exists() and "(sleep) Z" not in (entry / "stat").read_text():
        assert time.monotonic() < end
        time.sleep(0.01)
