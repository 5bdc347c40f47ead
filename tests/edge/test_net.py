"""Downloads from a real HTTPS server on the loopback, well-behaved and not."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme

from tests.support.https_server import (
    File,
    chunked,
    cut_after,
    honest,
    in_turn,
    redirect,
    serving,
    stall_after,
    status,
    trickle,
    without_ranges,
    write_authority,
)
from ventoy_kit import __version__
from ventoy_kit.edge.cache import Cache
from ventoy_kit.edge.net import Downloader
from ventoy_kit.edge.net_errors import (
    Failure,
    GoneError,
    NetworkError,
    NoSpaceError,
    UnfitAnswerError,
    UnreachableError,
)
from ventoy_kit.edge.partfile import note_of
from ventoy_kit.edge.transfer import Patience
from ventoy_kit.errors import InterruptedRunError, MachineError, StorageError

QUICK = Patience(connect=5, stall=0.6, tries=3, first_wait=0.01, longest_wait=0.1, small=1.0)
BODY = random.Random(3).randbytes(3_000_000)
ISO = File(BODY)
SHA = hashlib.sha256(BODY).hexdigest()
LIMIT = 1 << 30


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(autouse=True)
def _trust(authority, tmp_path, monkeypatch):
    for name in (
        "CURL_CA_BUNDLE",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(write_authority(authority, tmp_path)))


@pytest.fixture
def server(authority):
    with serving(authority.issue_cert("127.0.0.1")) as running:
        yield running


@pytest.fixture
def second(authority):
    with serving(authority.issue_cert("127.0.0.1")) as running:
        yield running


@pytest.fixture
def plain():
    with serving(None) as running:
        yield running


@pytest.fixture
def downloader():
    with Downloader(QUICK) as made:
        yield made


@pytest.fixture
def part(tmp_path):
    folder = tmp_path / "unverified"
    folder.mkdir()
    return folder / "x.part"


class Told:
    """A progress that remembers."""

    def __init__(self):
        self.events, self.count, self.total = [], 0, None

    def start(self, title, total):
        self.events.append(("start", title, total))
        self.count, self.total = 0, total

    def advance(self, count):
        assert count > 0
        self.count += count

    def done(self):
        self.events.append(("done", self.count))


def get(downloader, part, *urls, **options):
    options = {"expected": None, "limit": LIMIT} | options
    return downloader.download(urls, part, **options)


def fails(kind, downloader, part, *urls, **options):
    with pytest.raises(kind) as caught:
        get(downloader, part, *urls, **options)
    return caught.value


def nothing_usable(part):
    return not part.exists() or part.stat().st_size == 0


def half(part, downloader, server, file=ISO, count=1_000_000):
    """A part as a killed run leaves it."""
    url = server.put("/x.iso", cut_after(file, count))
    with pytest.raises(NetworkError):
        Downloader(replace(QUICK, tries=1)).download([url], part, expected=None, limit=LIMIT)
    assert part.stat().st_size == count
    server.requests.clear()
    return url


# The good case


def test_a_file_is_received_and_hashed(server, downloader, part):
    told = Told()
    got = get(downloader, part, server.put("/a/x.iso", honest(ISO)), progress=told, expected=len(BODY))
    assert part.read_bytes() == BODY
    assert (got.sha256, got.size, got.found) == (SHA, len(BODY), 0)
    assert (got.url, got.etag, got.last_modified) == (server.url("/a/x.iso"), ISO.etag, ISO.last_modified)
    assert told.events == [("start", "x.iso", len(BODY)), ("done", len(BODY))]
    (request,) = server.requests
    assert request.headers["user-agent"] == f"ventoy-kit/{__version__}"
    assert request.headers["accept-encoding"] == "identity"
    assert "range" not in request.headers
    assert part.stat().st_mode & 0o777 == 0o600


def test_a_body_without_length(server, downloader, part):
    told = Told()
    assert get(downloader, part, server.put("/x", chunked(ISO)), progress=told).sha256 == SHA
    assert told.events[0] == ("start", "x", 0)
    assert get(downloader, part, server.url("/x"), expected=len(BODY)).sha256 == SHA


def test_an_empty_file(server, downloader, part):
    got = get(downloader, part, server.put("/x", honest(File(b""))))
    assert (got.size, got.sha256) == (0, hashlib.sha256().hexdigest())


def test_a_small_file(server, downloader):
    url = server.put("/SHA256SUMS", honest(File(b"<pre>anything</pre>", content_type="text/html")))
    got = downloader.small(url, 100)
    assert (got.data, got.url) == (b"<pre>anything</pre>", url)
    assert (got.etag, got.last_modified) == (ISO.etag, ISO.last_modified)
    assert downloader.small(server.put("/moved", redirect(url)), 100).url == url
    assert downloader.small(server.put("/chunked", chunked(File(BODY))), LIMIT).data == BODY


def test_a_server_given_name_is_no_local_path(server, downloader, part):
    def behave(exchange):
        exchange.file_head(ISO, Content_Disposition='attachment; filename="../../evil.iso"')
        exchange.send(BODY)

    before = set(part.parent.parent.rglob("*"))
    server.put("/get?file=../../evil.iso", behave)
    url = server.put("/x%2F..%2F..%2Fevil.iso", redirect(server.url("/get?file=../../evil.iso")))
    get(downloader, part, url)
    assert set(part.parent.parent.rglob("*")) - before == {part, note_of(part)}


# Resuming


def test_the_rest_is_asked_for(server, downloader, part):
    url = half(part, downloader, server)
    server.put("/x.iso", honest(ISO))
    told = Told()
    got = get(downloader, part, url, progress=told)
    assert (got.sha256, got.found) == (SHA, 1_000_000)
    (request,) = server.requests
    assert (request.headers["range"], request.headers["if-range"]) == ("bytes=1000000-", ISO.etag)
    assert request.status == 206
    assert told.events == [("start", "x.iso", len(BODY)), ("done", len(BODY))]


def test_a_finished_part_is_confirmed_by_its_last_byte(server, downloader, part):
    url = server.put("/x.iso", honest(ISO))
    get(downloader, part, url)
    got = get(downloader, part, url)
    assert (got.sha256, got.found) == (SHA, len(BODY) - 1)
    assert server.requests[1].headers["range"] == f"bytes={len(BODY) - 1}-"


def test_without_an_etag_the_date_decides(server, downloader, part):
    dated = replace(ISO, etag='W/"weak"')
    url = half(part, downloader, server, dated)
    server.put("/x.iso", honest(dated))
    assert get(downloader, part, url).found == 1_000_000
    assert server.requests[0].headers["if-range"] == ISO.last_modified


def test_another_mirror_goes_on_by_date_and_length(server, second, downloader, part):
    half(part, downloader, server)
    gone = server.put("/x.iso", status(404))
    url = second.put("/y.iso", honest(replace(ISO, etag='"of the other mirror"')))
    got = get(downloader, part, gone, url)
    assert (got.sha256, got.found, got.url) == (SHA, 1_000_000, url)
    assert second.requests[0].headers["if-range"] == ISO.last_modified


def test_without_validators_it_begins_anew(server, downloader, part):
    bare = replace(ISO, etag=None, last_modified=None)
    url = half(part, downloader, server, bare)
    server.put("/x.iso", honest(bare))
    got = get(downloader, part, url)
    assert (got.sha256, got.found) == (SHA, 0)
    assert "range" not in server.requests[0].headers


def test_a_server_without_ranges(server, downloader, part):
    url = half(part, downloader, server)
    server.put("/x.iso", without_ranges(ISO))
    told = Told()
    got = get(downloader, part, url, progress=told)
    assert (got.sha256, got.found, len(server.requests)) == (SHA, 0, 1)
    assert told.events[-2:] == [("start", "x.iso", len(BODY)), ("done", len(BODY))]


OTHER = File(random.Random(4).randbytes(len(BODY)), '"two"', "Sun, 02 Aug 2026 10:00:00 GMT")


@pytest.mark.parametrize(
    "changed",
    [
        honest(OTHER),
        honest(OTHER, blind=True),
        honest(replace(OTHER, body=OTHER.body[:2_000_000], etag=ISO.etag), blind=True),
        honest(replace(OTHER, body=OTHER.body[:500_000]), blind=True),
        honest(replace(OTHER, body=OTHER.body + b"more", etag=None, last_modified=None), blind=True),
    ],
    ids=["etag", "server ignores If-Range", "shorter with the same ETag", "416", "longer, no validators"],
)
def test_a_file_that_changed_between_two_halves(server, downloader, part, changed):
    url = half(part, downloader, server)
    server.put("/x.iso", changed)
    got = get(downloader, part, url)
    assert got.found == 0
    assert BODY[:1000] not in part.read_bytes()
    assert hashlib.sha256(part.read_bytes()).hexdigest() == got.sha256
    assert OTHER.body[:400_000] == part.read_bytes()[:400_000]


@pytest.mark.parametrize("note", [None, b"", b"[]", b'{"format": 99}', b'{"format":1,"url":3,"etag":null}'])
def test_bytes_without_a_sensible_note_are_not_kept(server, downloader, part, note):
    url = half(part, downloader, server)
    server.put("/x.iso", honest(ISO))
    note_of(part).unlink()
    if note is not None:
        note_of(part).write_bytes(note)
    part.write_bytes(b"what is this" * 1000)
    assert (got := get(downloader, part, url)).sha256 == SHA
    assert got.found == 0


def test_bytes_that_rotted_are_seen_in_the_digest(server, downloader, part):
    url = half(part, downloader, server)
    server.put("/x.iso", honest(ISO))
    with part.open("r+b") as file:
        file.write(b"rotten")
    got = get(downloader, part, url)
    assert got.sha256 != SHA
    assert got.found == 1_000_000  # tells the caller to throw it away and to try once more


def test_a_link_in_the_place_of_the_part_is_not_followed(server, downloader, part, tmp_path):
    part.symlink_to(tmp_path / "elsewhere")
    fails(StorageError, downloader, part, server.put("/x", honest(ISO)))
    assert not (tmp_path / "elsewhere").exists()


# Failures that pass


def test_a_cut_connection_is_taken_up_again(server, downloader, part):
    url = server.put("/x.iso", in_turn(cut_after(ISO, 1_500_000), honest(ISO)))
    assert get(downloader, part, url).sha256 == SHA
    assert [r.headers.get("range") for r in server.requests] == [None, "bytes=1500000-"]


def test_an_unsteady_line_is_not_given_up_while_it_brings_something(server, downloader, part):
    body = random.Random(5).randbytes(12 << 20)

    def unsteady(exchange):
        begin = int(exchange.request.headers.get("range", "bytes=0-")[6:-1])
        span = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        exchange.file_head(
            replace(ISO, body=body), 206 if begin else 200, len(body) - begin, Content_Range=span
        )
        exchange.send(body[begin : begin + (2 << 20)])
        if begin + (2 << 20) < len(body):
            exchange.cut()

    got = get(downloader, part, server.put("/x", unsteady))
    assert got.sha256 == hashlib.sha256(body).hexdigest()
    assert len(server.requests) == 6


def test_a_server_that_is_busy_for_a_moment(server, downloader, part):
    url = server.put("/x", in_turn(status(503, Retry_After=0), status(500), honest(ISO)))
    assert get(downloader, part, url).sha256 == SHA
    assert downloader.small(server.put("/s", in_turn(status(429), honest(File(b"ok")))), 9).data == b"ok"


def test_retry_after_is_honoured_up_to_the_longest_wait(server, part):
    url = server.put("/x", in_turn(status(503, Retry_After=9999), honest(ISO)))
    patient = replace(QUICK, longest_wait=0.4)
    began = time.monotonic()
    get(Downloader(patient), part, url)
    assert 0.35 < time.monotonic() - began < 3


def test_a_stalled_server_is_left_for_the_next_try(server, downloader, part):
    url = server.put("/x", in_turn(stall_after(ISO, 1_000_000), honest(ISO)))
    got = get(downloader, part, url)
    assert got.sha256 == SHA
    assert server.requests[1].status == 206


@pytest.mark.parametrize(
    "behave", [stall_after(ISO, 0), stall_after(ISO, 70_000), trickle(ISO), trickle(ISO, after=2_000_000)]
)
def test_a_server_that_stalls_for_good(server, part, behave):
    once = Downloader(replace(QUICK, tries=1))
    began = time.monotonic()
    error = fails(NetworkError, once, part, server.put("/x", behave))
    assert [a.failure for a in error.attempts] == [Failure.STALLED]
    assert time.monotonic() - began < 5
    assert type(error) is NetworkError


def test_a_small_file_has_a_deadline(server, part):
    once = Downloader(replace(QUICK, tries=1))
    with pytest.raises(NetworkError) as caught:
        once.small(server.put("/x", trickle(ISO)), LIMIT)
    assert caught.value.attempts[0].failure is Failure.STALLED


def test_tries_are_counted_and_end(server, downloader, part):
    error = fails(NetworkError, downloader, part, server.put("/x", cut_after(ISO, 10)))
    assert [(a.failure, a.tries) for a in error.attempts] == [(Failure.CUT, 3)]
    assert len(server.requests) == 3
    assert "10 of 3,000,000" in error.message


# Failures that stay


def test_gone_everywhere(server, second, downloader, part):
    urls = [server.url("/x.iso"), second.put("/x.iso", status(410))]
    error = fails(GoneError, downloader, part, *urls)
    assert [(a.url, a.status, a.tries) for a in error.attempts] == [(urls[0], 404, 1), (urls[1], 410, 1)]
    assert "x.iso" in error.message
    assert nothing_usable(part)
    with pytest.raises(GoneError):
        downloader.small(server.url("/SHA256SUMS"), 100)


def test_mirrors_in_turn(server, second, downloader, part):
    urls = [server.url("/x.iso"), second.put("/x.iso", honest(ISO))]
    assert get(downloader, part, *urls).url == urls[1]


def test_gone_here_and_broken_there_is_not_gone(server, second, downloader, part):
    error = fails(NetworkError, downloader, part, server.url("/x"), second.put("/x", status(500)))
    assert type(error) is NetworkError


def test_refused(server, downloader, part):
    error = fails(UnfitAnswerError, downloader, part, server.put("/x", status(403)))
    assert (error.attempts[0].failure, error.attempts[0].status) == (Failure.REFUSED, 403)
    assert len(server.requests) == 1


def test_no_address_at_all(downloader, part):
    assert fails(NetworkError, downloader, part).attempts == ()


def closed_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_nothing_listens(downloader, part):
    error = fails(UnreachableError, downloader, part, f"https://127.0.0.1:{closed_port()}/x")
    assert error.attempts[0].tries == 3
    assert "refused" in error.attempts[0].detail


def test_the_proxy_of_the_environment_is_used(server, downloader, part, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    url = server.put("/x", honest(ISO))
    error = fails(UnreachableError, downloader, part, url)
    assert "by the proxy" in error.message
    assert not server.requests
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert get(downloader, part, url).sha256 == SHA


def test_an_unknown_issuer(server, downloader, part, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(write_authority(trustme.CA(), tmp_path / "other")))
    error = fails(UnfitAnswerError, downloader, part, server.put("/x", honest(ISO)))
    assert (error.attempts[0].failure, error.attempts[0].tries) == (Failure.UNTRUSTED, 1)
    assert "REQUESTS_CA_BUNDLE" in error.hint
    assert not server.requests


def test_a_certificate_for_another_name(authority, downloader, part):
    with serving(authority.issue_cert("mirror.example")) as other:
        error = fails(UnfitAnswerError, downloader, part, other.put("/x", honest(ISO)))
    assert error.attempts[0].failure is Failure.UNTRUSTED


def test_a_missing_file_of_certificates(server, downloader, part, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/does/not/exist.pem")
    error = fails(MachineError, downloader, part, server.put("/x", honest(ISO)))
    assert not isinstance(error, NetworkError)
    assert "/does/not/exist.pem" in error.message


def test_no_redirect_leads_to_plain_http(server, plain, downloader, part):
    target = plain.put("/x.iso", honest(ISO))
    for plainly in (False, True):
        url = server.put("/x.iso", redirect(target))
        error = fails(UnfitAnswerError, downloader, part, url, plain=plainly)
        assert error.attempts[0].failure is Failure.INSECURE
        assert target in error.message
    fails(UnfitAnswerError, downloader, part, plain.put("/again", redirect(target)), plain=True)
    assert [r.path for r in plain.requests] == ["/again"]
    assert nothing_usable(part)


def test_plain_http_only_on_demand(plain, downloader, part):
    url = plain.put("/x.iso", honest(ISO))
    assert fails(UnfitAnswerError, downloader, part, url).attempts[0].failure is Failure.INSECURE
    with pytest.raises(UnfitAnswerError):
        downloader.small(url, LIMIT)
    assert not plain.requests
    assert get(downloader, part, url, plain=True).sha256 == SHA


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "x.iso", "", "https://", "https://[::1"]
)
def test_other_addresses(downloader, part, url):
    fails(UnfitAnswerError, downloader, part, url)
    assert nothing_usable(part)


def test_redirects_within_https(server, second, downloader, part):
    second.put("/b/x.iso", honest(ISO))
    url = server.put("/x.iso", redirect(server.url("/b")))
    server.put("/b", redirect(f"//{second.base[8:]}/b/x.iso"))
    got = get(downloader, part, url)
    assert (got.sha256, got.url) == (SHA, url)


def test_a_circle(server, downloader, part):
    url = server.put("/x", redirect(server.url("/x")))
    assert fails(UnfitAnswerError, downloader, part, url).attempts[0].failure is Failure.NONSENSE
    assert len(server.requests) == 9


@pytest.mark.parametrize(
    "page",
    [
        File(BODY, content_type="text/html; charset=utf-8"),
        File(b"<!DOCTYPE html><html>No such release</html>"),
        File(b"\n  <html>" + BODY),
    ],
)
def test_a_page_in_the_place_of_the_file(server, downloader, part, page):
    error = fails(UnfitAnswerError, downloader, part, server.put("/x.iso", honest(page)))
    assert error.attempts[0].failure is Failure.NOT_THE_FILE
    assert nothing_usable(part)


def test_a_page_does_not_cost_what_was_received(server, downloader, part):
    url = half(part, downloader, server)
    server.put("/x.iso", honest(File(b"<html>", etag=None)))
    fails(UnfitAnswerError, downloader, part, url)
    server.put("/x.iso", honest(ISO))
    assert get(downloader, part, url).found == 1_000_000


@pytest.mark.parametrize("behaviour", [honest, chunked])
def test_another_size_than_expected(server, downloader, part, behaviour):
    url = server.put("/x", behaviour(ISO))
    error = fails(UnfitAnswerError, downloader, part, url, expected=len(BODY) - 1)
    assert error.attempts[0].failure is Failure.WRONG_SIZE
    assert nothing_usable(part)
    assert not note_of(part).exists()


def test_shorter_than_expected(server, downloader, part):
    assert fails(UnfitAnswerError, downloader, part, server.put("/x", honest(ISO)), expected=len(BODY) + 1)
    error = fails(NetworkError, downloader, part, server.put("/x", chunked(ISO)), expected=len(BODY) + 1)
    assert error.attempts[0].failure is Failure.CUT


@pytest.mark.parametrize("behaviour", [honest, chunked])
def test_more_than_the_limit(server, downloader, part, behaviour):
    url = server.put("/x", behaviour(ISO))
    error = fails(UnfitAnswerError, downloader, part, url, limit=len(BODY) - 1)
    assert error.attempts[0].failure is Failure.TOO_LARGE
    assert nothing_usable(part)
    with pytest.raises(UnfitAnswerError):
        downloader.small(url, 100)


def test_more_than_announced_is_not_taken(server, downloader, part):
    def behave(exchange):
        exchange.file_head(ISO, length=1_000_000)
        exchange.send(BODY)

    url = server.put("/x", behave)
    got = get(downloader, part, url)
    assert (got.size, part.stat().st_size) == (1_000_000, 1_000_000)
    assert got.sha256 == hashlib.sha256(BODY[:1_000_000]).hexdigest()
    assert downloader.small(server.put("/next", honest(File(b"own answer"))), 99).data == b"own answer"
    assert fails(UnfitAnswerError, downloader, part, url, expected=len(BODY))


@pytest.mark.parametrize(
    "behaviour",
    [
        status(200, b"x" * 99, Content_Encoding="gzip"),
        status(206, b"x"),
        status(204),
        status(304),
        status(416),
    ],
)
def test_answers_that_make_no_sense(server, downloader, part, behaviour):
    url = server.put("/x", behaviour)
    assert fails(UnfitAnswerError, downloader, part, url).attempts[0].failure is Failure.NONSENSE
    with pytest.raises(UnfitAnswerError):
        downloader.small(url, 100)
    assert nothing_usable(part)


def test_no_password_is_told_or_kept(server, downloader, part):
    url = server.put("/x", cut_after(ISO, 1000)).replace("https://", "https://me:geheim@")
    error = fails(NetworkError, downloader, part, url)
    assert "authorization" in server.requests[0].headers
    assert "geheim" not in repr(error.attempts) + error.message + note_of(part).read_text()
    server.put("/x", honest(ISO))
    got = get(downloader, part, url)
    assert "geheim" not in got.url
    assert got.found == 1000


# Room


def test_too_little_room_is_seen_before_the_first_byte(server, downloader, part, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000_000))
    error = fails(NoSpaceError, downloader, part, server.put("/x", honest(ISO)))
    assert (error.folder, error.needed, error.free) == (part.parent, len(BODY), 2_000_000)
    assert "3,000,000" in error.message
    assert nothing_usable(part)
    monkeypatch.undo()


def test_downloads_at_the_same_time_do_not_count_on_the_same_room(server, downloader, part, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=4_000_000))
    first = server.put("/1", stall_after(ISO, 500_000))
    other = part.with_name("y.part")

    def late():
        try:
            for _ in range(500):
                if part.exists() and part.stat().st_size > 200_000:
                    break
                time.sleep(0.01)
            return get(downloader, other, server.put("/2", honest(ISO)))
        finally:
            server.ended.set()

    _, refused = downloader.download_all([lambda: get(downloader, part, first), late])
    assert isinstance(refused, NoSpaceError)
    assert refused.needed == len(BODY)
    assert refused.free < 1_500_000


@pytest.mark.needs_root
@pytest.mark.needs_tool("mount")
def test_a_disk_that_fills_up(server, downloader, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], check=True)
    try:
        part = small / "x.part"
        error = fails(NoSpaceError, downloader, part, server.put("/x", honest(ISO)))
        assert error.needed == len(BODY) > error.free > 1_000_000
        assert nothing_usable(part)
        error = fails(StorageError, downloader, part, server.put("/y", chunked(ISO)))
        assert "space" in error.message
        subprocess.run(["mount", "-o", "remount,size=20m", str(small)], check=True)
        assert get(downloader, part, server.url("/x")).sha256 == SHA
        # A disk that others fill while we write: what was received stays and is used.
        part.unlink()
        note_of(part).unlink()
        filler = small / "filler"
        fast = honest(ISO, block=1 << 16, pause=0.002)

        def behave(exchange):
            filler.write_bytes(b"x" * (19 << 20))
            fast(exchange)

        url = server.put("/x", in_turn(behave, honest(ISO)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Downloader, "_reserve", lambda *_: None)
            fails(StorageError, downloader, part, url)
        filler.unlink()
        got = get(downloader, part, url)
        assert got.sha256 == SHA
        assert got.found > 100_000
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


# Several at once, interruption, kill


def test_several_at_once_and_one_that_fails(server, downloader, tmp_path):
    urls = [server.put(f"/{n}", honest(ISO)) for n in range(5)]
    urls[2] = server.url("/none")
    told = [Told() for _ in urls]

    def job(n):
        return lambda: get(downloader, tmp_path / f"{n}.part", urls[n], progress=told[n])

    results = downloader.download_all([job(n) for n in range(5)], workers=3)
    assert [r if isinstance(r, MachineError) else r.url for r in results] == [
        *urls[:2],
        results[2],
        *urls[3:],
    ]
    assert isinstance(results[2], GoneError)
    assert [t.count for t in told] == [len(BODY), len(BODY), 0, len(BODY), len(BODY)]


def test_a_mistake_in_a_job_is_not_hidden(downloader):
    with pytest.raises(ZeroDivisionError):
        downloader.download_all([lambda: 1 // 0, lambda: 2])


def test_stop_ends_a_silent_download_at_once(server, part):
    patient = Downloader()
    url = server.put("/x", stall_after(ISO, 300_000))
    threading.Timer(0.5, patient.stop).start()
    began = time.monotonic()
    fails(InterruptedRunError, patient, part, url)
    assert time.monotonic() - began < 3
    assert part.stat().st_size > 0
    fails(InterruptedRunError, patient, part, url)


CHILD = """
import sys
from pathlib import Path
from ventoy_kit.edge.cache import Cache
from ventoy_kit.edge.net import Downloader
cache, downloader = Cache(Path(sys.argv[1])), Downloader()

def job(url):
    def run():
        with cache.part(url) as part:
            found = cache.find(sys.argv[2])
            if found is not None:
                return found
            got = downloader.download([url], part, expected=None, limit=1 << 30)
            assert got.sha256 == sys.argv[2], got
            return cache.publish(part, got.sha256, "debian.iso")
    return run

print("ready", flush=True)
results = downloader.download_all([job(url) for url in sys.argv[3:]])
print(*results, flush=True)
"""


def child(cache, sha, *urls, **options):
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(cache), sha, *urls],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        **options,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_ctrl_c_leaves_parts_that_can_be_resumed(server, tmp_path):
    slow = honest(ISO, block=1 << 16, pause=0.05)
    urls = [server.put("/1", slow), server.put("/2", slow), server.put("/3", stall_after(ISO, 200_000))]
    process = child(tmp_path / "cache", SHA, *urls)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < 3
    assert "KeyboardInterrupt" in errors
    assert process.returncode == -signal.SIGINT
    parts = Cache(tmp_path / "cache").parts()
    assert len(parts) == 3
    assert all(BODY.startswith(p.path.read_bytes()) and 0 < p.size < len(BODY) for p in parts)
    for url in urls:
        server.put(url[len(server.base) :], honest(ISO))
    server.requests.clear()
    output, errors = child(tmp_path / "cache", SHA, *urls).communicate(timeout=20)
    assert output.split() == [str(tmp_path / "cache/isos" / SHA[:2] / SHA / "debian.iso")] * 3, errors
    assert {r.status for r in server.requests} == {206}


def test_killed_at_random_moments(server, tmp_path):
    """Whatever instant a run is killed at, the cache is consistent and the next run goes on."""
    chance = random.Random(7)
    body = chance.randbytes(6 << 20)
    sha = hashlib.sha256(body).hexdigest()
    cache = Cache(tmp_path / "cache")
    url = server.put("/x", honest(File(body), block=1 << 16, pause=0.003))
    kills = resumed = 0
    while kills < (50 if os.environ.get("VENTOY_KIT_SOAK") else 6):
        process = child(cache.root, sha, url)
        time.sleep(chance.uniform(0, 0.5))
        alive = process.poll() is None
        process.kill()
        output, _ = process.communicate()
        kills += alive
        objects = [p for p in cache.root.glob("isos/*/*/*") if p.is_file()]
        assert all(p.read_bytes() == body for p in objects)
        for part in cache.parts():
            assert body.startswith(part.path.read_bytes())
        if cache.find(sha) is not None:
            assert objects == [cache.find(sha)]
            if output:
                # It had finished; begin again with an empty cache so that there is something to kill.
                resumed += any(r.status == 206 for r in server.requests)
                server.requests.clear()
                shutil.rmtree(cache.root)
        else:
            assert not output
    output, errors = child(cache.root, sha, url).communicate(timeout=30)
    assert Path(output.strip()).read_bytes() == body, errors
    assert cache.verify(sha) == "right"
    assert resumed or any(r.status == 206 for r in server.requests)
    assert cache.parts() == ()


def test_two_runs_that_want_the_same_file(server, tmp_path):
    url = server.put("/x", honest(ISO, block=1 << 16, pause=0.01))
    runs = [child(tmp_path / "cache", SHA, url) for _ in range(2)]
    outputs = {run.communicate(timeout=20)[0] for run in runs}
    assert len(outputs) == 1
    assert Path(outputs.pop().strip()).read_bytes() == BODY
    assert len(server.requests) == 1


@pytest.mark.slow
def test_memory_is_constant(server, tmp_path):
    block, count = os.urandom(1 << 20), 384
    digest = hashlib.sha256()

    def behave(exchange):
        exchange.head(200, Content_Length=count << 20, ETag='"x"')
        for _ in range(count):
            exchange.send(block)

    for _ in range(count):
        digest.update(block)
    script = CHILD + "print(*[l for l in open('/proc/self/status') if l.startswith('VmHWM')])"
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "cache"), digest.hexdigest(), server.put("/x", behave)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert int(run.stdout.split()[-2]) < 100 * 1024


def test_the_note_says_where_the_bytes_come_from(server, downloader, part):
    url = half(part, downloader, server)
    assert json.loads(note_of(part).read_text()) == {
        "format": 1,
        "url": url,
        "etag": ISO.etag,
        "last_modified": ISO.last_modified,
        "length": len(BODY),
    }
