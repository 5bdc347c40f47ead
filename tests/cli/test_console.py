"""The only printer: colour, tables, progress, on a terminal and elsewhere."""

import io
import os
import pty
import subprocess
import threading

import pytest

from tests.app.workspaces import command, environment
from ventoy_kit.app.outcome import Block, Heading, Lines, Next, Outcome, Table
from ventoy_kit.cli.console import Console, ConsoleProgress, harmless
from ventoy_kit.report import Place, Report, Rule, place_in

RULE = Rule("VK-D01", "A title", "An explanation")


def on_terminal(args, cwd, **variables: str) -> str:
    leader, follower = pty.openpty()
    inherited = environment(TERM="xterm-256color", **variables)
    plain = {k: v for k, v in inherited.items() if k != "NO_COLOR" or k in variables}
    process = subprocess.Popen(
        command(*args), cwd=cwd, env=plain, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    said = b""
    try:
        while block := os.read(leader, 65536):
            said += block
    except OSError:
        pass
    os.close(leader)
    process.wait(30)
    return said.decode()


def test_colour_is_for_terminals_that_want_it(fleet):
    assert "\x1b[" in on_terminal(["check"], fleet)
    assert "\x1b[" not in on_terminal(["check"], fleet, NO_COLOR="1")
    assert "\x1b[" not in on_terminal(["check"], fleet, NO_COLOR="")
    done = subprocess.run(command("check"), cwd=fleet, env=environment(), capture_output=True)
    assert b"\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_a_table_fits_the_terminal(fleet, columns):
    said = on_terminal(["build", "--dry-run"], fleet, NO_COLOR="1", COLUMNS=columns)
    assert "S5GXNX0T100001" in said.replace("\r\n", "").replace(" ", "") or columns == "40"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢", "plain é 漢"),
        ("\x1b[2J", "\ufffd[2J"),
        ("a\tb", "a b"),
        ("a\nb\rc\x00", "a\ufffdb\ufffdc\ufffd"),
        ("\u202e\u2066\x9b", "\ufffd" * 3),
    ],
)
def test_harmless(text, shown):
    assert harmless(text) == shown


def test_the_excerpt_is_underlined_where_the_place_is(capsys):
    place = place_in(["nodes:", "  a: {x: 1}"], "fleet.yaml", 2, 7, 4)
    outcome = Outcome("check", Report([RULE.finding("message", "remedy", place=place)]))
    assert Console().show(outcome) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[:6] == [
        "error VK-D01: message",
        "  --> fleet.yaml:2:7",
        "  1 | nodes:",
        "  2 |   a: {x: 1}",
        "    |       ^^^^",
        "  rule: A title",
    ]


def test_a_place_without_a_line_is_the_file_alone(capsys):
    Console().show(Outcome("check", Report([RULE.finding("m", "r", place=Place("some file"))])))
    assert "  --> some file\n" in capsys.readouterr().err


def test_blocks_go_to_stdout_and_next_steps_to_stderr(capsys):
    blocks: list[Block] = [
        Heading("Head"),
        Lines(("one", "two")),
        Table(("a", ""), (("1", "[bold]x[/bold]"),)),
        Next(("do",)),
    ]
    assert Console().show(Outcome("check", Report(), {}, blocks)) == 0
    out, err = capsys.readouterr()
    assert out.split() == ["Head", "one", "two", "a", "1", "[bold]x[/bold]"]
    assert err.split() == ["Next:", "do"]


class TestProgress:
    def test_elsewhere_it_is_a_line_now_and_then(self, monkeypatch):
        clock = iter(range(0, 1000, 3))
        monkeypatch.setattr("ventoy_kit.cli.console.time.monotonic", lambda: float(next(clock)))
        stream = io.StringIO()
        progress = ConsoleProgress(quiet=False, stream=stream)
        progress.start("writing\x1b x", 4_000_000)
        for _ in range(4):
            progress.advance(1_000_000)
        progress.done()
        lines = stream.getvalue().splitlines()
        assert 1 <= len(lines) <= 2
        assert lines[0].startswith("writing\ufffd x: ")
        assert lines[0].endswith("of 4 MB")

    def test_quiet_is_quiet(self):
        stream = io.StringIO()
        progress = ConsoleProgress(quiet=True, stream=stream)
        progress.INTERVAL = -1.0
        progress.start("x", 10)
        progress.advance(10)
        progress.done()
        assert stream.getvalue() == ""

    def test_on_a_terminal_it_is_a_bar_that_goes_away(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        stream = Terminal()
        progress = ConsoleProgress(quiet=False, stream=stream)
        progress.start("x", 10)
        progress.advance(10)
        progress.done()
        progress.done()
        assert progress.bar is None

    def test_lines_of_one_board_are_shown_together_and_end_with_the_last(self):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        board = ConsoleProgress(quiet=False, stream=Terminal())
        lines = [board.line() for _ in range(8)]
        together = threading.Barrier(len(lines))

        def work(line):
            together.wait()
            line.start("x", 0)
            shown = line.bar
            for _ in range(50):
                line.advance(1)
            together.wait()
            bars.append(shown)
            line.done()

        bars: list[object] = []
        threads = [threading.Thread(target=work, args=(line,)) for line in lines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(bars) == 8
        assert len({id(bar) for bar in bars}) == 1
        assert board.bars.shown is None
