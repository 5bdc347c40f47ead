"""Staging beside `dd`, same bytes, same device: a loop device with real exFAT (through FUSE) and with ext4.

Prints the second table of docs/performance.md. Needs root. Runs of both sides alternate and the fastest of each
counts, since other load on the machine slows down whichever it meets.

Environment: BENCH_MIB size of the image in MiB (1024), BENCH_FLEET_MIB that of the fleet's ISO (4096), BENCH_RUNS (3),
BENCH_DIR where the files lie (the temporary folder).
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ventoy_kit.edge import disk_image, mounts, stick_part
from ventoy_kit.edge.files import digests_of, source_chunks
from ventoy_kit.edge.mounts import mounted_image
from ventoy_kit.edge.process import SystemProcess
from ventoy_kit.edge.stick_files import StickFolder
from ventoy_kit.stick.layout import Layout, plan_layout

MIB = 1024 * 1024
SIZE = int(os.environ.get("BENCH_MIB", "1024"))
FLEET = int(os.environ.get("BENCH_FLEET_MIB", "4096"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
PROCESS = SystemProcess(mounts.PACKAGES | disk_image.PACKAGES)
KIT = [sys.executable, "-m", "ventoy_kit"]
BENCH = Path(__file__).with_name("bench.py")


def run(argv: list[str | Path], cwd: Path) -> str:
    """A command that must succeed; gives what it says."""
    environment = os.environ | {"ALLIANCE_ROOT_PASSWORD": "benchmark-password"}
    done = subprocess.run(argv, check=False, cwd=cwd, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, argv))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def seconds(argv: list[str | Path], cwd: Path) -> float:
    """How long a command takes."""
    start = time.perf_counter()
    run(argv, cwd)
    return time.perf_counter() - start


def cold(source: Path) -> None:
    """Empty the page cache, but for the source, which both sides find in it."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")
    run(["cksum", source], source.parent)


def fresh_image(path: Path, filesystem: disk_image.DataFilesystem, mib: int) -> Layout:
    """A new disk image with Ventoy's layout."""
    path.unlink(missing_ok=True)
    layout = plan_layout((mib + mib // 8 + 300) * MIB, "gpt")  # ext4 keeps 5 % for root
    assert isinstance(layout, Layout)
    disk_image.create_image(PROCESS, path, layout, disk_image.new_ids(), filesystem=filesystem)
    return layout


@contextlib.contextmanager
def fresh_mount(path: Path, filesystem: disk_image.DataFilesystem) -> Iterator[Path]:
    """A new, empty data partition, mounted."""
    layout = fresh_image(path, filesystem, SIZE)
    with mounted_image(PROCESS, path, layout, filesystem) as root:
        yield root


class Clock:
    """Seconds by name, the fastest run of each."""

    def __init__(self) -> None:
        self.best: dict[str, float] = {}

    def note(self, name: str, value: float) -> None:
        self.best[name] = min(value, self.best.get(name, value))


def one_round(top: Path, iso: Path, digest: str, filesystem: disk_image.DataFilesystem, clock: Clock) -> None:
    """dd and the kit once each, on fresh file systems."""
    image = top / "stick.img"
    with fresh_mount(image, filesystem) as root:
        cold(iso)
        copy = root / "x.iso"
        clock.note(
            "dd", seconds(["dd", f"if={iso}", f"of={copy}", "bs=4M", "conv=fsync", "status=none"], top)
        )
        cold(iso)
        clock.note("dd read", seconds(["dd", f"if={copy}", "of=/dev/null", "bs=4M", "status=none"], top))
    with fresh_mount(image, filesystem) as root:
        cold(iso)
        times: list[float] = []
        real = stick_part.Part.sha256

        def timed(self: stick_part.Part, progress: object = None) -> str:  # noqa: ARG001 - the signature
            times.append(time.perf_counter())
            return real(self)

        stick_part.Part.sha256 = timed  # type: ignore[method-assign, assignment]
        start = time.perf_counter()
        StickFolder(root, ".vk-").write("iso/x.iso", source_chunks(iso), sha256=digest, private=False)
        stick_part.Part.sha256 = real  # type: ignore[method-assign]
        clock.note("write", times[0] - start)
        clock.note("write, read back", time.perf_counter() - start)
    fresh_image(image, filesystem, SIZE)
    cold(iso)
    clock.note("stage", seconds([*KIT, "stage", image, "--yes", "--quiet"], top / "d"))
    image.unlink()


def demo(top: Path, mib: int) -> Path:
    """The built-in example of three nodes, its ISO made large, built; gives the ISO."""
    shutil.rmtree(top / "d", ignore_errors=True)
    run([*KIT, "demo", "d"], top)
    iso = next((top / "d/iso").glob("*.iso"))
    subprocess.run(
        [sys.executable, str(BENCH), str(iso)], env=os.environ | {"BENCH_MIB": str(mib)}, check=True
    )
    run([*KIT, "build", "--quiet"], top / "d")
    return iso


def peak_of(argv: list[str | Path], cwd: Path) -> int:
    """Peak resident memory of a command and what it starts, in MiB."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    return int(run([sys.executable, "-c", script, *argv], cwd))


def sectors_written(root: Path) -> int:
    """Sectors of 512 bytes that the block device below a mounted folder was given (Documentation/block/stat.rst)."""
    number = root.stat().st_dev
    text = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}/stat").read_text()
    return int(text.split()[6])


def change_answer(fleet: Path) -> None:
    """One node gets another address in its answer."""
    file = fleet / "fleet.yaml"
    text = file.read_text()
    old, new = (
        ("10.66.0.11/24", "10.66.0.21/24") if "10.66.0.11/24" in text else ("10.66.0.21/24", "10.66.0.11/24")
    )
    file.write_text(text.replace(old, new, 1))
    run([*KIT, "build", "--quiet"], fleet)


def again(top: Path, filesystem: disk_image.DataFilesystem) -> tuple[float, float, int, int]:
    """Stage a fleet, then once more after one changed answer: seconds, planned KB, KB on the device, peak MiB."""
    fleet, image = top / "d", top / "stick.img"
    layout = fresh_image(image, filesystem, FLEET)
    peak = peak_of([*KIT, "stage", image, "--yes", "--quiet"], fleet)
    best, planned = float("inf"), 0.0
    for _ in range(RUNS):
        change_answer(fleet)
        start = time.perf_counter()
        said = run([*KIT, "stage", image, "--yes", "--json"], fleet)
        best = min(best, time.perf_counter() - start)
        planned = json.loads(said)["result"]["write_bytes"] / 1000
    change_answer(fleet)
    with mounted_image(PROCESS, image, layout, filesystem) as root:
        os.sync()
        before = sectors_written(root)
        run([*KIT, "stage", root, "--yes", "--quiet"], fleet)
        os.sync()
        written = (sectors_written(root) - before) * 512 // 1000
    image.unlink()
    return best, planned, written, peak


def row(*cells: object) -> None:
    print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("This needs the rights of root: it mounts file systems.")
    with tempfile.TemporaryDirectory(prefix="vk-bench-", dir=os.environ.get("BENCH_DIR")) as name:
        top = Path(name)
        iso = demo(top, SIZE)
        (digest,) = digests_of(iso, "sha256")
        row("file system", "what", "seconds", "beside", "seconds", "ratio", "wanted")
        row(*["---"] * 7)
        kinds: tuple[disk_image.DataFilesystem, ...] = ("exfat", "ext4")
        for filesystem in kinds:
            clock = Clock()
            for _ in range(RUNS):
                one_round(top, iso, digest, filesystem, clock)
            t = clock.best
            dd, both = t["dd"], t["dd"] + t["dd read"]
            mib = iso.stat().st_size >> 20
            for what, own, beside, other, wanted in (
                (f"write and hash {mib} MiB", t["write"], "`dd bs=4M conv=fsync`", dd, 1 / 0.9),
                ("the same, read back, compared", t["write, read back"], "`dd`, and `dd` reading", both, 1.1),
                ("`stage`, start to unmounted", t["stage"], "`dd`, and `dd` reading", both, 1.1),
            ):
                row(
                    *(filesystem, what, f"{own:.2f}", beside, f"{other:.2f}", f"{own / other:.2f}"),
                    f"at most {wanted:.2f}",
                )
        iso = demo(top, FLEET)
        print()
        row(
            "file system",
            "after one changed answer, 3 nodes, ISO of",
            "seconds",
            "KB planned",
            "KB on the device",
            "peak MiB of the first `stage`",
        )
        row(*["---"] * 6)
        for filesystem in kinds:
            best, planned, written, peak = again(top, filesystem)
            row(filesystem, f"{iso.stat().st_size >> 20} MiB", f"{best:.2f}", f"{planned:.0f}", written, peak)
        row("wanted", "", "below 1", "below 200", "", "below 150")


if __name__ == "__main__":
    main()
