"""The reader of GRUB scripts, compared with GRUB's own checker where there is one."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventoy_kit.images.grub import GrubSyntaxError, Statement, parse

GOOD = {
    "empty": "",
    "comment": "# only { a 'comment\n",
    "comment after a word": "echo a#b # c 'd\n",
    "brace on the same line": "menuentry x { echo a }\n",
    "no blank before the brace": "menuentry 'x'{\necho a\n}\n",
    "two commands": "echo a; echo b\n",
    "keyword as argument": "echo if fi then\n",
    "condition": "if [ ! -f x ]; then echo a; elif true; then echo b; else echo c; fi\n",
    "loop": "for i in a b; do echo $i; done\n",
    "while": "while true; do echo a; done\n",
    "quoted newline": "echo 'a\nb'\n",
    "escapes": 'echo "a ${b} \\" c" a\\ b\n',
    "continued line": "echo a \\\n b\n",
    "windows line ends": "if true; then\r\n  echo a\r\nfi\r\n",
    "variables": "set a=$b${c}$?\n",
    "parentheses": "test -e (lvm/pve-root)/boot@x//y\n",
    "nested": "submenu 'a' {\n submenu 'b' {\n  menuentry 'c' {\n   linux /x\n  }\n }\n}\n",
}
BAD = {
    "open quote": "echo 'a\n",
    "open double quote": 'echo "a\n',
    "open block": "menuentry x {\necho a\n",
    "stray brace": "echo a; }\n",
    "stray fi": "fi\n",
    "open if": "if true; then echo a\n",
    "no then": "if true; fi\n",
    "pipe": "echo a | cat\n",
    "and": "echo a && echo b\n",
    "bare block": "{ echo a\n}\n",
    "lonely dollar": "echo $ a\n",
    "case": "case x in y) echo a ;; esac\n",
}


@pytest.mark.parametrize("name", GOOD)
def test_reads(name):
    parse(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_refuses(name):
    with pytest.raises(GrubSyntaxError) as caught:
        parse(BAD[name])
    assert 0 <= caught.value.offset <= len(BAD[name])


@pytest.mark.needs_tool("grub-script-check")
@pytest.mark.parametrize(
    ("text", "fine"), [(t, True) for t in GOOD.values()] + [(t, False) for t in BAD.values()]
)
def test_grub_agrees(text, fine, tmp_path):
    script = tmp_path / "x.cfg"
    script.write_bytes(text.encode())
    done = subprocess.run(["grub-script-check", str(script)], capture_output=True)
    # the checker takes a script without any command for a mistake; GRUB runs it
    assert (done.returncode == 0) is (fine and text not in (GOOD["empty"], GOOD["comment"]))


def test_structure():
    (choice, entry) = parse(
        "if test -f x; then set a=1; else set b=2; fi\nmenuentry \"T 'x'\" --id y {\n linux /k\n}\n"
    )
    assert choice.compound == "if"
    assert [[s.name for s in branch.body] for branch in choice.branches] == [["set"], ["set"]]
    assert choice.branches[0].condition[0].words[1].value == "-f"
    assert choice.branches[1].condition == ()
    assert [word.value for word in entry.words] == ["menuentry", "T 'x'", "--id", "y"]
    assert [statement.name for statement in entry.body] == ["linux"]
    assert [statement.name for statement in entry.walk()] == ["menuentry", "linux"]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("'a b'", "a b"),
        ('"a b"', "a b"),
        (r"a\ b", "a b"),
        (r'"a\"b"', 'a"b'),
        ("a'b'c", "abc"),
        (r"'a\b'", r"a\b"),
    ],
)
def test_value_of_a_word(raw, value):
    assert parse(f"echo {raw}\n")[0].words[1].value == value


def test_depth_is_limited():
    with pytest.raises(GrubSyntaxError, match="blocks within each other"):
        parse("submenu x { " * 5000)


def _spans(text: str, statement: Statement):
    for inner in statement.walk():
        assert statement.start <= inner.start < inner.end <= statement.end
        for word in inner.words:
            assert text[word.start : word.end] == word.raw


SCRIPTS = st.lists(
    st.sampled_from(
        ["if", "then", "else", "elif", "fi", "menuentry 'a'", "submenu b", "{", "}", "\n", ";", "#x"]
    )
    | st.sampled_from(
        ["for i in a", "while x", "do", "done", "function f", "\\\n", "\\", "$x", "é", "\x00", "\r\n"]
    )
    | st.sampled_from(["set a=1", "'", '"', "[ -f y ]"]),
    max_size=30,
).map(" ".join)


@given(st.one_of(st.text(max_size=200), SCRIPTS))
def test_any_text_is_read_or_refused(text):
    try:
        statements = parse(text)
    except GrubSyntaxError:
        return
    for statement in statements:
        _spans(text, statement)
