"""Plays one act of a rehearsal: makes what the twin starts from, starts it, and follows it to its end."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ventoy_kit.app.host import Host
from ventoy_kit.app.rehearse_options import RehearseOptions
from ventoy_kit.app.rehearse_prepare import Prepared
from ventoy_kit.app.rehearse_tpm import tpm_of
from ventoy_kit.edge.emulator import Emulator, firmware_files
from ventoy_kit.edge.files import exists, remove_file, write_atomic
from ventoy_kit.edge.run_folder import make_sparse, sparse_digest
from ventoy_kit.edge.virtual_machine import VirtualMachine, png_of
from ventoy_kit.edge.workers import Stop
from ventoy_kit.errors import InterruptedRunError, MachineError, StorageError
from ventoy_kit.rehearse import loader
from ventoy_kit.rehearse.acts import Act, second_archive
from ventoy_kit.rehearse.case import Case, Direct
from ventoy_kit.rehearse.follow import Ended, Follower, Passed, filled, filled_sign, last_lines
from ventoy_kit.rehearse.model import ActResult, End, Picture, TwinDisk
from ventoy_kit.rehearse.qemu import Network, Paths, Start, arguments, writable_outside
from ventoy_kit.rehearse.screens import is_new
from ventoy_kit.rehearse.verdict import TITLES, judge_act

SLOW = 4.0
"""How much more patience a twin needs whose processor is emulated."""

LONGEST = 3600.0
"""Seconds that an act may take at most, with KVM."""

SILENCE = 30.0
"""Seconds without a word from a kernel after which KVM is given up; a guest that it cannot run may also turn in circles."""

LOOK = 2.0
"""Seconds between two looks at disks and screen."""

BUSY = 0.5
"""Part of the time in which a processor of the twin works, from which on it is not idle; waiting for a key takes a tenth."""

PICTURES = 30
"""Pictures of one act at most, besides the last one."""

MILESTONES = (1, 16, 64, 256, 1024)
"""MiB that were read from a stick, at which the rehearsal says so."""

SERIAL = "console=ttyS0"
"""For the installed system, behind the `---` of Debian's command line: its login can be seen then."""


class BrokenKvmError(Exception):
    """KVM gave up on the guest: the act has to be played with an emulated processor."""


@dataclass(slots=True)
class Scene:
    """Where one node's rehearsal is played. Not frozen: it remembers what happened.

    Attributes:
        case: the node.
        prepared: scripts and busybox.
        options: how.
        host: effects.
        emulator: the engine; KVM goes when it turns out to be broken.
        folder: the run's own folder.
        stop: asked to end.
        tell: shows a line to a person while it runs.
        network: the twin's network.
        outside: paths outside of the folder that QEMU held open for writing.
        stick_written: bytes that were written to the stick.
        cut: the act that was under way when the rehearsal was interrupted, or this machine failed.
        stick_changed: whether a stick that was made here holds something else after an act than before, but for
            the note that it is mounted.
    """

    case: Case
    prepared: Prepared
    options: RehearseOptions
    host: Host
    emulator: Emulator
    folder: Path
    stop: Stop
    tell: Callable[[str], None]
    network: Network = field(default_factory=Network)
    outside: set[str] = field(default_factory=set)
    stick_written: int = 0
    cut: ActResult | None = None
    stick_changed: bool = False

    def image(self, disk: TwinDisk) -> Path:
        """The image of a disk."""
        foreign = self.case.stick if disk.role == "stick" else None
        return foreign or self.folder / f"disk-{disk.name}.img"

    def variables(self, act: Act) -> Path:
        """The firmware's variables: the installation and what follows it share theirs."""
        shared = act.name in ("install", "again", "installed", "stick")
        return self.folder / ("variables.fd" if shared else f"variables-{act.name}.fd")


def play(scene: Scene, act: Act) -> ActResult:
    """One act; a KVM that gives up is given up, too.

    Raises:
        MachineError: the machine failed.
        InterruptedRunError: it was asked to end.
    """
    try:
        return _play(scene, act)
    except BrokenKvmError:
        scene.emulator = replace(scene.emulator, kvm=False)
        if act.fresh:  # whatever the broken start wrote
            remove_file(scene.variables(act))
        scene.tell(f"{act.twin.node}: KVM does not run guests here; the processor is emulated")
        return _play(scene, act)


def _play(scene: Scene, act: Act) -> ActResult:
    scene.tell(f"{act.twin.node}: {TITLES[act.name]}")
    argv = _command(scene, act)
    outside = writable_outside(argv, scene.folder)
    if outside:
        raise MachineError(
            f"QEMU would write to {', '.join(outside)}", "This is a mistake in ventoy-kit; report it."
        )
    patience = 1.0 if scene.emulator.kvm else SLOW
    follower = Follower(
        stages=filled(act.expected.stages, act.names),
        signs=tuple(filled_sign(s, act.names) for s in act.expected.signs),
        until=act.until,
        quiet=act.expected.quiet * patience,
    )
    stick = scene.image(act.twin.stick) if scene.case.stick is None else None
    before = sparse_digest(stick, loader.IN_USE) if stick and exists(stick) else None
    with tpm_of(act.twin, scene.folder), VirtualMachine(argv, scene.folder) as machine:
        watch = _Watch(scene, act, machine, follower, scene.options.timeout or LONGEST * patience)
        try:
            ended = watch.follow()
        except MachineError as error:
            cut = Ended(
                End.CUT, f"It was cut short: {error.message}.", last_lines(follower.text), None, error.hint
            )
            scene.cut = watch.result(cut)
            raise
        result = watch.result(ended)
    scene.stick_changed |= bool(stick and before and sparse_digest(stick, loader.IN_USE) != before)
    return result


def _command(scene: Scene, act: Act) -> tuple[str, ...]:
    """Make the files that the twin starts from, and QEMU's command."""
    twin, direct = act.twin, scene.case.direct
    if act.name == "installed":
        twin = replace(twin, disks=tuple(d for d in twin.disks if d.role != "stick"))
    firmware = variables = None
    if twin.firmware == "uefi":
        firmware, template = firmware_files()
        variables = scene.variables(act)
        if not exists(variables):
            write_atomic(variables, scene.host.files.read(template))
    kernel = None
    if direct is not None and act.ticket is not None:
        kernel = _loader_stick(scene, act, direct)
    paths = Paths(
        folder=scene.folder,
        disks={d.name: scene.image(d) for d in twin.disks},
        foreign_stick=scene.case.stick is not None,
        firmware=firmware,
        variables=variables,
        medium=direct.iso if direct is not None and act.name != "installed" else None,
        kernel=kernel if twin.firmware == "bios" else None,
        tpm=scene.folder / "tpm.sock" if twin.tpm else None,
    )
    first = next(d.name for d in twin.disks if d.role == ("system" if act.name == "installed" else "stick"))
    return arguments(twin, paths, scene.network, Start(scene.emulator.kvm, first))


def _loader_stick(scene: Scene, act: Act, direct: Direct) -> tuple[Path, Path, str]:
    """The stick of a direct boot, and kernel, RAM disk and words for a BIOS, which starts them without it."""
    folder, stick = scene.folder, scene.image(act.twin.stick)
    words = (*act.expected.words, *scene.options.words, *(() if scene.emulator.kvm else ("no_timer_check",)))
    line = direct.entry.with_words(words)
    if direct.family == "debian" and "---" in direct.entry.words:
        line += f" {SERIAL}"
    extra = second_archive(
        direct,
        act.ticket or b"",
        scene.network,
        scene.case.node.mirror,
        (scene.prepared.busybox, dict(scene.prepared.scripts)),
    )
    whole = folder / "initrd-whole"
    initrd = direct.initrd + b"\0" * (-len(direct.initrd) % 4)
    for name, data in (
        (loader.KERNEL, direct.kernel),
        (loader.EXTRA, extra),
        ("grub.cfg", loader.menu(line).encode()),
    ):
        write_atomic(folder / name, data)
    write_atomic(folder / loader.INITRD, initrd or b"\0" * 4)
    remove_file(stick)
    if act.twin.firmware == "bios":
        write_atomic(whole, initrd + extra)
        make_sparse(stick, 64 << 20)
    else:
        size = loader.size_of(len(direct.kernel), len(initrd), len(extra))
        make_sparse(stick, size, loader.partition_table(size))
        for command in loader.commands(folder, stick, size):
            code, out, err = scene.host.process.run(command, timeout=300)
            if code:
                said = (err or out).strip().splitlines()[-1:] or ["it said nothing"]
                raise MachineError(
                    f"{command[0]} failed: {said[0]}", "Free some space, or see `ventoy-kit doctor`."
                )
    return folder / loader.KERNEL, whole, line


@dataclass(slots=True)
class _Watch:
    """Looks at a running twin until it ended."""

    scene: Scene
    act: Act
    machine: VirtualMachine
    follower: Follower
    longest: float
    pictures: list[Picture] = field(default_factory=list)
    written: dict[str, int] = field(default_factory=dict)
    _read: int = 0
    _traffic: dict[str, tuple[int, int]] = field(default_factory=dict)
    _shown: bytes = b""
    _busy: tuple[float, float] = (0.0, 0.0)

    def result(self, ended: Ended) -> ActResult:
        """What was seen until it ended."""
        act, follower = self.act, self.follower
        self.picture("The last screen", last=True)
        return ActResult(
            act=act.name,
            title=TITLES[act.name],
            stages=follower.results(),
            verdict=judge_act(act.name, ended, uefi=act.twin.firmware == "uefi"),
            seconds=self.machine.seconds,
            console=follower.text,
            pictures=tuple(self.pictures),
            written=tuple((d.name, self.written.get(d.name, 0)) for d in act.twin.disks),
        )

    def follow(self) -> Ended:
        """Until it ended. Raises MachineError, InterruptedRunError, BrokenKvmError."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        looked = 0.0
        while True:
            if self.scene.stop.asked:
                raise InterruptedRunError("the rehearsal was interrupted", "Run the command again.")
            text = decoder.decode(self.machine.console(0.3))
            at = self.machine.seconds
            self._tell(self.follower.feed(text, at))
            ended = self._power(at)
            if at - looked >= LOOK or ended is not None:
                looked = at
                ended = self._disks(at) or ended
                self._processor(at)
                self._screen(at)
            ended = self.follower.ended(at) or ended
            if ended is not None:
                return ended
            speaks = self.scene.emulator.kvm and self.act.ticket is not None
            if speaks and at > SILENCE and not self.follower.text:
                raise BrokenKvmError
            if at > self.longest:
                text = f"It was not done after {self.longest:.0f} seconds."
                return Ended(
                    End.LATE, text, last_lines(self.follower.text), remedy="Allow more with --timeout."
                )
            if not self.machine.running:
                raise MachineError("QEMU ended by itself", "Run the command again; if it stays, report it.")

    def _tell(self, passed: list[Passed]) -> None:
        for one in passed:
            self.scene.tell(f"{self.act.twin.node}: {one.at:6.0f} s  {one.stage.title}")
            self.picture(one.stage.title)

    def _power(self, at: float) -> Ended | None:
        """What the power did."""
        for event in self.machine.events():
            if event["event"] == "BLOCK_IO_ERROR" and event["data"].get("action") == "stop":
                reason = event["data"].get("reason", "unknown")
                raise StorageError(
                    f"a disk of the twin cannot be written: {reason}",
                    "Free some space, or name a folder that has more in TMPDIR.",
                )
            if (
                event["event"] == "STOP"
                and self.machine.command("query-status")["status"] == "internal-error"
            ):
                if self.scene.emulator.kvm:
                    raise BrokenKvmError
                raise MachineError("QEMU cannot run the guest any further", "Run the command again.")
            if event["event"] != "SHUTDOWN":
                continue
            self._disks(at)
            restarts = event["data"].get("reason") == "guest-reset"
            what = "the machine restarts" if restarts else "the machine is off"
            system = {d.name for d in self.act.twin.disks if d.role == "system"}
            done = any(self.written.get(name) for name in system)
            self._tell(self.follower.note(f"{what} after an installation" if done else what, at))
            said = last_lines(self.follower.text)
            return Ended(End.RESTARTED if restarts else End.OFF, f"T{what[1:]}.", said)
        return None

    def _processor(self, at: float) -> None:
        """A twin that computes, or would if this machine had a processor to spare, does not stand still.

        Of a stick this says nothing: Ventoy's menu computes while it waits for a key.
        """
        if self.scene.case.stick is not None:
            return
        before, then = self._busy
        self._busy = (self.machine.busy(), at)
        if self._busy[0] - before > BUSY * (at - then):
            self.follower.moved(at)

    def _disks(self, at: float) -> Ended | None:
        """Who was written to; an end if it was somebody whom nobody may write to."""
        traffic = self.machine.traffic()
        if traffic != self._traffic:
            self._traffic = traffic
            self.follower.moved(at)
        for number, disk in enumerate(self._present()):
            read, wrote = traffic.get(f"disk{number}", (0, 0))
            first = wrote and not self.written.get(disk.name)
            if disk.role == "stick":
                self.scene.stick_written += wrote - self.written.get(disk.name, 0)
                self._stick_read(read >> 20, at)
            self.written[disk.name] = wrote
            if first and disk.role == "system":
                self._tell(self.follower.note(f"system disk {disk.name} is written", at))
            elif first and disk.role not in ("system", "stick"):
                text = f"{disk.name} ({disk.role}) was written to, and nobody may write to it."
                return Ended(
                    End.WROTE, text, last_lines(self.follower.text), remedy="Do not use the stick; report it."
                )
        self.scene.outside.update(
            path
            for path in self.machine.open_for_writing()
            if not Path(path).is_relative_to(self.scene.folder)
        )
        return None

    def _present(self) -> Iterator[TwinDisk]:
        return (d for d in self.act.twin.disks if self.act.name != "installed" or d.role != "stick")

    def _stick_read(self, mebibytes: int, at: float) -> None:
        if self.scene.case.stick is None:
            return
        for milestone in MILESTONES:
            if self._read < milestone <= mebibytes:
                self._tell(self.follower.note(f"stick is read: {milestone} MiB", at))
        self._read = max(self._read, mebibytes)

    def _screen(self, at: float) -> None:
        """A stick talks to the screen alone, so each new picture counts as a sign of life."""
        if self.scene.case.stick is not None and self.picture("The screen changed"):
            self.follower.moved(at)

    def picture(self, title: str, *, last: bool = False) -> bool:
        """Keep the screen, if it shows something new; whether it does."""
        data = self.machine.screen()
        if data is None:
            return False
        new = is_new(self._shown, data)
        if new:
            self._shown = data
        png = png_of(data) if last or (new and len(self.pictures) < PICTURES) else None
        if png is not None:
            if not new and self.pictures:
                self.pictures.pop()
            self.pictures.append(Picture(self.machine.seconds, title, png))
        return new
