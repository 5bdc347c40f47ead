"""Which pictures of a screen are worth to be kept."""

from __future__ import annotations

import itertools

from ventoy_kit.rehearse.screens import is_new

WIDTH, HEIGHT = 800, 600
HEAD = b"P6\n800 600\n255\n"


def screen(*lit: tuple[int, int, int, int]) -> bytes:
    """A black screen with white boxes: left, top, width, height."""
    pixels = bytearray(WIDTH * HEIGHT * 3)
    for left, top, width, height in lit:
        for y in range(top, top + height):
            start = (y * WIDTH + left) * 3
            pixels[start : start + width * 3] = b"\xff" * (width * 3)
    return HEAD + bytes(pixels)


def test_a_digit_that_counts_is_nothing_new():
    assert not is_new(screen((400, 500, 8, 16)), screen((401, 501, 7, 14)))


def test_a_line_of_text_and_another_size_are():
    assert is_new(screen(), screen((8, 500, 400, 16)))
    assert is_new(screen(), b"P6\n640 480\n255\n" + bytes(640 * 480 * 3))


def test_little_by_little_it_becomes_new():
    """What was kept is compared with, so that text which comes slowly is not missed."""
    texts = [screen(*((8, 16 * line, 60, 14) for line in range(count))) for count in range(12)]
    assert not any(is_new(one, more) for one, more in itertools.pairwise(texts))
    assert is_new(texts[0], texts[-1])
