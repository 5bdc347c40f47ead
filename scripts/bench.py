"""Speed beside the plain tools, on the same bytes: `make bench`. Prints Markdown for docs/performance.md.

Ratios are what counts: they compare on one machine. Each measurement is the best of several runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ventoy_kit.edge.iso import write_iso
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files

SIZE = int(os.environ.get("BENCH_MIB", "1024")) * 1024 * 1024
KIT = [sys.executable, "-m", "ventoy_kit"]


def best(work: Callable[[], None], runs: int = 3, before: Callable[[], None] = lambda: None) -> float:
    """Seconds of the fastest of several runs; `before` is not timed."""
    times = []
    for _ in range(runs):
        before()
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def kit(*args: str, cwd: Path) -> None:
    """Run the kit and insist on success."""
    run([*KIT, *args], cwd)


def run(argv: list[str], cwd: Path) -> None:
    done = subprocess.run(
        argv,
        check=False,
        cwd=cwd,
        capture_output=True,
        text=True,
        env=os.environ | {"ALLIANCE_ROOT_PASSWORD": "benchmark-password"},
    )
    if done.returncode:
        sys.exit(f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}")


def large_iso(path: Path) -> None:
    """A stand-in with a large file in it, so that it has the size of a real installer."""
    image = standin_files("proxmox-ve", "9.1-1")
    block = os.urandom(1024 * 1024)
    files = dict(image.files) | {"/pve-base.squashfs": block * (SIZE // len(block))}
    write_iso(files, image.volume_id, path, bios=BIOS_IMAGE, uefi=UEFI_IMAGE)


def fleet_of(count: int, base: str) -> str:
    """The example's fleet with many nodes like its first one."""
    head, nodes = base.split("\nnodes:\n")
    start = nodes.index("  falcon:")
    node = nodes[start : nodes.index("\n  corvette:")]
    out = [
        head.replace("10.66.0.0/24", "10.64.0.0/12")
        .replace("10.66.0.1", "10.79.255.254")
        .replace("  expected_votes: 3\n", "")
        + "\nnodes:"
    ]
    for n in range(count):
        text = (
            node.replace("  falcon:", f"  node-{n}:", 1)
            .replace("FALC0N1", f"FALC{n:05}")
            .replace("S7FALC0N0001", f"S7FALC{n:06}")
        )
        text = text.replace(
            "d8:43:ae:00:0a:01", f"d8:43:ae:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"
        )
        out.append(text.replace("10.66.0.11/24", f"10.{64 + n // 60000}.{n // 250 % 240}.{n % 250 + 1}/12"))
    return "\n".join(out) + "\n"


def main() -> None:
    rows: list[tuple[str, float, str, float]] = []
    with tempfile.TemporaryDirectory(prefix="vk-bench-") as name:
        top = Path(name)
        kit("demo", "d", cwd=top)
        memory: dict[str, int] = {}
        demo = top / "d"
        iso = demo / "iso" / "STAND-IN-proxmox-ve_9.1-1.iso"
        # In a process of its own, since a child's memory is counted from its parent's on.
        run([sys.executable, __file__, str(iso)], top)
        run(["cksum", str(iso)], top)  # into the page cache, for both sides

        state = demo / ".ventoy-kit" / "digests.json"
        built = best(lambda: kit("build", cwd=demo), before=lambda: state.unlink(missing_ok=True))
        plain = best(lambda: run(["openssl", "dgst", "-sha256", str(iso)], top))
        rows.append(
            (f"`build`, hashing an ISO of {SIZE >> 20} MiB anew", built, "`openssl dgst -sha256`", plain)
        )

        stick = top / "stick"
        staged = best(lambda: kit("stage", str(stick), "--yes", cwd=demo), before=lambda: fresh(stick))
        copy = top / "copy"

        def by_hand() -> None:
            run(["dd", f"if={iso}", f"of={copy / 'x.iso'}", "bs=4M", "conv=fsync", "status=none"], top)
            run(["dd", f"if={copy / 'x.iso'}", "iflag=nocache", "count=0", "status=none"], top)
            run(["openssl", "dgst", "-sha256", str(copy / "x.iso")], top)

        plain = best(by_hand, before=lambda: fresh(copy))
        rows.append(
            (
                f"`stage DIR`, {SIZE >> 20} MiB, flushed, read back, compared",
                staged,
                "`dd conv=fsync`, drop cache, `openssl dgst`",
                plain,
            )
        )

        for what in ("build", f"stage {stick} --yes --recheck"):
            memory[what.split()[0]] = peak_of([*KIT, *what.split()], demo)
        again = best(lambda: kit("stage", str(stick), "--yes", cwd=demo))
        plain = (
            best(lambda: run(["rsync", "-a", str(iso), str(stick / "iso/")], top))
            if shutil.which("rsync")
            else float("nan")
        )
        rows.append(("`stage DIR` again, nothing to do", again, "`rsync -a`", plain))

        text = (demo / "fleet.yaml").read_text()
        for count in (100, 1000):
            (demo / "many.yaml").write_text(fleet_of(count, text))
            seconds = best(lambda: kit("check", "-f", "many.yaml", "--quiet", cwd=demo), runs=2)
            rows.append((f"`check` of {count} nodes", seconds, "", float("nan")))
        rows.append(
            (
                "`ventoy-kit --help`",
                best(lambda: kit("--help", cwd=top), runs=5),
                '`python -c "import click"`',
                best(lambda: run([sys.executable, "-c", "import click"], top), runs=5),
            )
        )
    print("| what | seconds | beside | seconds | ratio |\n| --- | --- | --- | --- | --- |")
    for what, own, beside, other in rows:
        other_text, ratio = ("", "") if other != other else (f"{other:.2f}", f"{own / other:.2f}")
        print(f"| {what} | {own:.2f} | {beside} | {other_text} | {ratio} |")
    for what, peak in memory.items():
        print(f"\nPeak memory of `{what}` with this image: {peak} MiB.")


def peak_of(argv: list[str], cwd: Path) -> int:
    """Peak resident memory of a command in MiB."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, "
        "stderr=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    environment = os.environ | {"ALLIANCE_ROOT_PASSWORD": "benchmark-password"}
    done = subprocess.run(
        [sys.executable, "-c", script, *argv],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return int(done.stdout)


def fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


if __name__ == "__main__":
    if len(sys.argv) == 2:
        large_iso(Path(sys.argv[1]))
    else:
        main()
