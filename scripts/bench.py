"""Speed beside the plain tools, on the same bytes: `make bench`. Prints Markdown for docs/performance.md.

Ratios are what counts: they compare on one machine. Each measurement is the best of several runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import trustme

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.hardware import FALCON, as_json, nic
from tests.support.pgp import Key, armour
from ventoy_kit.edge.cache import Cache
from ventoy_kit.edge.iso import write_iso
from ventoy_kit.edge.net import Downloader
from ventoy_kit.images.standin import BIOS_IMAGE, UEFI_IMAGE, standin_files

SIZE = int(os.environ.get("BENCH_MIB", "1024")) * 1024 * 1024
Row = tuple[str, float, str, float]
"""What was done, seconds, beside what, its seconds."""

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
    head = re.sub(r"\n(cluster|waivers):\n(?:  .*\n|#.*\n)+", "\n", head)  # they name the example's own nodes
    start = nodes.index("  falcon:")
    node = nodes[start : nodes.index("\n  corvette:")]
    names = re.findall(r"^ +([a-z-]+): \{title: .*(?:provides|needs):", node, re.MULTILINE)
    out = [head.replace("10.66.0.0/24", "10.64.0.0/12").replace("10.66.0.1", "10.79.255.254") + "\nnodes:"]
    for n in range(count):
        text = (
            node.replace("  falcon:", f"  node-{n}:", 1)
            .replace("FALC0N1", f"FALC{n:05}")
            .replace("S7FALC0N0001", f"S7FALC{n:06}")
            .replace("Millennium Falcon", f"Millennium Falcon {n}")
            .replace("d8:43:ae:00:0a:01", f"d8:43:ae:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}")
            .replace("10.66.0.11/24", f"10.{64 + n // 60000}.{n // 250 % 240}.{n % 250 + 1}/12")
        )
        for name in ("tantive-iii", *names):  # guests and services bear names of their own
            text = re.sub(rf"\b{name}\b(?=[:\]])", f"{name}-{n}", text)
        out.append(text)
    return "\n".join(out) + "\n"


def record_hardware(folder: Path, count: int) -> None:
    """Facts of the nodes of `fleet_of`: the first node's machine with their serial numbers and addresses."""
    folder.mkdir(exist_ok=True)
    for n in range(count):
        mac = f"d8:43:ae:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}"
        machine = replace(
            FALCON,
            disks=(replace(FALCON.disks[0], serial=f"S7FALC{n:06}"),),
            nics=(nic("enp2s0", mac),),
            dmi={"product_serial": f"FALC{n:05}"},
        )
        (folder / f"node-{n}.json").write_text(as_json(machine))


def main() -> None:
    rows: list[Row] = []
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

        rows += fetching(top, iso, memory)

        text = (demo / "fleet.yaml").read_text()
        for count in (100, 1000):
            (demo / "many.yaml").write_text(fleet_of(count, text))
            seconds = best(lambda: kit("check", "-f", "many.yaml", "--quiet", cwd=demo), runs=2)
            rows.append((f"`check` of {count} nodes", seconds, "", float("nan")))
        record_hardware(demo / "hardware", 1000)
        tried = best(lambda: kit("build", "--dry-run", "-f", "many.yaml", "--quiet", cwd=demo), runs=2)
        rows.append(("`build --dry-run` of 1000 nodes with facts, each simulated", tried, "", float("nan")))
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


def fetching(top: Path, iso: Path, memory: dict[str, int]) -> list[Row]:
    """Receiving and verifying, beside curl and openssl. The server is nginx, so that its cost is small for both."""
    for tool in ("nginx", "curl", "openssl"):
        if shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            print(f"(fetching was not measured: it needs the program {tool})\n")
            return []
    folder, size = top / "fetch", iso.stat().st_size
    folder.mkdir()
    what = f"{size >> 20} MiB"
    with nginx(folder, iso) as (https, http):
        os.environ["REQUESTS_CA_BUNDLE"] = str(folder / "authority.pem")
        os.environ["VENTOY_KIT_CACHE"] = str(folder / "cache")
        fleet_that_fetches(folder, iso, https)
        out = folder / "out"

        def curl(base: str, *, flush: bool) -> None:
            address = f"{base}/iso/{iso.name}"
            run(["curl", "-sS", "--cacert", str(folder / "authority.pem"), "-o", str(out), address], folder)
            if flush:
                run(["sync", str(out)], folder)

        def curl_and_verify() -> None:
            curl(https, flush=True)
            run(["openssl", "dgst", "-sha256", str(out)], folder)

        def forget() -> None:
            shutil.rmtree(folder / "cache", ignore_errors=True)
            out.unlink(missing_ok=True)

        def receive(base: str) -> None:
            run(
                [sys.executable, __file__, "receive", f"{base}/iso/{iso.name}", str(folder / "cache")], folder
            )

        # By turns, so that what else happens on the machine meets all of them.
        works: dict[str, Callable[[], None]] = {
            "fetch": lambda: kit("fetch", cwd=folder),
            "https": lambda: receive(https),
            "http": lambda: receive(http),
            "curl https": lambda: curl(https, flush=False),
            "curl https sync": lambda: curl(https, flush=True),
            "curl https verify": curl_and_verify,
            "curl http": lambda: curl(http, flush=False),
            "curl http sync": lambda: curl(http, flush=True),
        }
        seconds = dict.fromkeys(works, float("inf"))
        for _ in range(5):
            for name, work in works.items():
                seconds[name] = min(seconds[name], best(work, 1, before=forget))
        rows: list[Row] = []
        for name, title, scheme in (
            ("http", f"receive {what} over HTTP, hash, flush, publish", "http"),
            ("https", f"receive {what} over HTTPS, hash, flush, publish", "https"),
            ("fetch", f"`fetch`, {what} over HTTPS, the whole command", "https"),
        ):
            rows.append((title, seconds[name], f"`curl -o` over {scheme.upper()}", seconds[f"curl {scheme}"]))
            rows.append(("the same", seconds[name], "`curl -o` and `sync`", seconds[f"curl {scheme} sync"]))
        by_hand = "`curl -o`, `sync`, `openssl dgst`: all that it does"
        rows.append(("the same", seconds["fetch"], by_hand, seconds["curl https verify"]))
        forget()
        memory["fetch"] = peak_of([*KIT, "fetch"], folder)
        run(["cksum", *map(str, (folder / "cache").glob("isos/*/*/*"))], folder)  # into the page cache
        (cached,) = (folder / "cache").glob("isos/*/*/*")
        openssl = best(lambda: run(["openssl", "dgst", "-sha256", str(cached)], folder), 5)
        alone = best_verification(folder / "cache", cached.parent.name)
        rows.append((f"verify {what} in the cache", alone, "`openssl dgst -sha256`", openssl))
        whole = best(lambda: kit("image", "verify", cwd=folder), 5)
        rows.append(("`image verify`, the whole command", whole, "`openssl dgst -sha256`", openssl))
        memory["image verify"] = peak_of([*KIT, "image", "verify"], folder)
    return rows


def best_verification(cache: Path, sha256: str) -> float:
    """Seconds of reading and comparing one object, without the start of Python."""

    def verify() -> None:
        if Cache(cache).verify(sha256) != "right":
            sys.exit("the cached image is wrong")

    return best(verify, 5)


def receive_once(url: str, cache: Path) -> None:
    """What `fetch` does with the bytes of one image, in a process of its own."""
    store = Cache(cache)
    with Downloader() as downloader, store.part(url) as part:
        got = downloader.download([url], part, expected=None, limit=1 << 40, plain=True)
        store.publish(part, got.sha256, "image.iso")


def fleet_that_fetches(folder: Path, iso: Path, base: str) -> None:
    """A fleet with one image, signed checksums, and a catalog entry for them."""
    key = Key("Bench <bench@example.org>", datetime(2020, 1, 1, tzinfo=UTC))
    with iso.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    sums = f"{digest}  {iso.name}\n".encode()
    files = folder / "www/iso"
    (files / "SHA256SUMS").write_bytes(sums)
    (files / "SHA256SUMS.sign").write_bytes(key.sign(sums, datetime(2024, 1, 1, tzinfo=UTC)))
    (files / "key.asc").write_bytes(armour(key.certificate(), "PUBLIC KEY BLOCK"))
    release = "9.1-1"
    entry = {
        "title": "Bench",
        "kind": "installer",
        "product": "proxmox-ve",
        "homepage": "https://example.org/",
        "file": iso.name.replace(release, "{release}"),
        "version": r"\d+\.\d+-\d+",
        "releases": [{"fixed": [release]}],
        "mirrors": [f"{base}/iso/"],
        "checksums": {"at": "SHA256SUMS", "format": "gnu", "algorithm": "sha256"},
        "signatures": [{"on": "checksums", "at": "SHA256SUMS.sign"}],
        "keys": [
            {
                "fingerprint": key.fingerprint,
                "name": "Bench",
                "url": f"{base}/iso/key.asc",
                "origin": "made here",
            }
        ],
        "max_size": "100 GiB",
    }
    (folder / "catalog").mkdir()
    (folder / "catalog/bench.yaml").write_text(json.dumps(entry))
    text = (folder.parent / "d/fleet.yaml").read_text()
    text = re.sub(r"(?m)^  debian: .*\n", "", text)
    text = re.sub(r"(?m)^  proxmox-ve: \{.*\}", f"  proxmox-ve: {{catalog: bench, release: {release}}}", text)
    (folder / "fleet.yaml").write_text(text)


@contextlib.contextmanager
def nginx(folder: Path, iso: Path) -> Iterator[tuple[str, str]]:
    """A web server in C with the image; gives its addresses over HTTPS and HTTP."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    (folder / "www/iso").mkdir(parents=True)
    (folder / "www/iso" / iso.name).symlink_to(iso)
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; worker_processes 1; error_log {folder}/errors; events {{}}\n"
        + ("user root;\n" if os.geteuid() == 0 else "")
        + f"http {{ access_log off; sendfile on; {temporary}\n"
        f"server {{ listen 127.0.0.1:{ports[0]} ssl; listen 127.0.0.1:{ports[1]}; root {folder}/www;\n"
        f"ssl_protocols TLSv1.3; ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem; }} }}\n"
    )
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or "nginx"
    server = subprocess.Popen([program, "-e", str(folder / "errors"), "-c", str(folder / "nginx.conf")])
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", ports[0]), 1):
                break
            time.sleep(0.05)
        else:
            sys.exit(f"nginx did not start:\n{(folder / 'errors').read_text()}")
        yield f"https://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
    finally:
        server.terminate()
        server.wait()


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
    if sys.argv[1:2] == ["receive"]:
        receive_once(sys.argv[2], Path(sys.argv[3]))
    elif len(sys.argv) == 2:
        large_iso(Path(sys.argv[1]))
    else:
        main()
