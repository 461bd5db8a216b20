"""Logs: read from their end, merged by time, followed whatever becomes of the files, rotated while they are written."""

from __future__ import annotations

import errno
import os
import random
import re
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import pytest

from devctl.logs import Line, Logs, files, plain
from devctl.logs.index import Index
from devctl.logs.read import Segment


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path)


def write(logs: Logs, name: str, data: bytes, at: float | None = None) -> None:
    """Append as the service would and, with ``at``, notice it then."""
    handle = logs.open(name)
    os.write(handle, data)
    os.close(handle)
    if at is not None:
        logs.track(name)
        os.utime(logs.path(name), (at, at))
        for _ in range(8):
            logs.tick(at)


def texts(lines: Iterator[Line]) -> list[str]:
    return [line.text for line in lines]


def test_only_the_user_may_read_them(logs: Logs) -> None:
    write(logs, "a", b"x\n")
    assert logs.path("a").stat().st_mode & 0o777 == 0o600
    assert logs.folder.stat().st_mode & 0o777 == 0o700
    assert logs.path("a") == logs.folder / "a.log"


def test_no_log_no_lines(logs: Logs) -> None:
    assert logs.tail("none", 5) == []
    assert logs.words("none") == ()
    assert list(logs.read(["none"])) == []
    assert logs.run_offset("none") == 0
    assert not logs.rotate("none")
    assert logs.tick() == []


@pytest.mark.parametrize("n", [0, 1, 3, 100])
@pytest.mark.parametrize("data", [b"", b"\n", b"a", b"a\n", b"\na\n", b"a\n\nb", b"a\nb\nc\n", b"\n\n\n"])
def test_tail_is_the_end_of_splitlines(logs: Logs, data: bytes, n: int) -> None:
    write(logs, "a", data)
    expected = data.decode().split("\n")
    if expected[-1] == "":
        expected.pop()
    assert logs.tail("a", n) == (expected[-n:] if n else [])
    assert texts(logs.read(["a"])) == expected


def test_backwards_is_forwards_reversed(tmp_path: Path) -> None:
    chance = random.Random(5)
    for _ in range(30):
        sizes = [chance.choice((0, 1, 80, 5000, 65535, 65536, 65537)) for _ in range(chance.randrange(60))]
        data = b"".join(bytes([97 + number % 26]) * size + b"\n" for number, size in enumerate(sizes))
        data += b"x" * chance.choice((0, 7))
        (tmp_path / "f").write_bytes(data)
        part = Segment(str(tmp_path / "f"), "")
        forwards = list(part.forwards())
        if all(size <= 65536 for size in sizes):
            assert list(part.backwards()) == forwards[::-1]
        assert all(data[offset : offset + len(line)] == line for offset, line in forwards)
        assert all(data[offset : offset + len(line)] == line for offset, line in part.backwards())
        assert b"".join(line for _, line in forwards) == data.replace(b"\n", b"")


def test_a_line_without_end_comes_in_pieces(logs: Logs) -> None:
    write(logs, "a", b"x" * 3_000_000 + b"\nlast\n")
    pieces = texts(logs.read(["a"]))
    assert pieces[-1] == "last"
    assert "".join(pieces[:-1]) == "x" * 3_000_000
    assert max(map(len, pieces)) <= 200_000
    assert logs.tail("a", 1) == ["last"]
    assert sum(map(len, logs.tail("a", 1000))) == 3_000_004
    assert logs.words("a", n=2) == ("x" * 500, "last")


@pytest.mark.parametrize(
    ("raw", "text", "coloured"),
    [
        (b"\x1b[1;31mred\x1b[0m", "red", "\x1b[1;31mred\x1b[0m"),
        (b"\x1b[2J\x1b[H\x1bcclear", "clear", "clear"),
        (b"\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link", "textlink", "textlink"),
        (b"\x1b[?25lhidden\x1b[1A", "hidden", "hidden"),
        (b"10%\r50%\r100%\r\n", "100%", "100%"),
        (b"a\tb\x00\x07\x08c\x7f", "a\tbc", "a\tbc"),
        ("grün ✓".encode(), "grün ✓", "grün ✓"),
        (b"\xff\xfe", "\ufffd\ufffd", "\ufffd\ufffd"),
        (b"\x1b[38;2;1;2;3mx", "x", "\x1b[38;2;1;2;3mx"),
        (b"open \x1b[", "open [", "open ["),
    ],
)
def test_plain(raw: bytes, text: str, coloured: str) -> None:
    assert plain(raw) == text
    assert plain(raw, colour=True) == coloured


def test_the_end_of_a_large_log_costs_nothing(logs: Logs) -> None:
    write(logs, "a", b"")
    with logs.path("a").open("wb") as file:
        for _ in range(200):
            file.write(b"a line of some length in a log of two hundred megabytes\n" * 18_000)
    read: list[int] = []
    pread = os.pread
    try:
        os.pread = lambda handle, size, at: (read.append(size), pread(handle, size, at))[1]
        tracemalloc.start()
        begun = time.process_time()
        assert len(logs.tail("a", 100)) == 100
        assert len(logs.words("a")) == 10
        spent, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        os.pread = pread
    logs.path("a").unlink()
    assert sum(read) < 500_000
    assert peak < 5_000_000
    assert spent < 1


def test_a_whole_large_log_is_read_in_little_memory(logs: Logs) -> None:
    for name in ("a", "b"):
        write(logs, name, b"some words to be read one after the other\n" * 100_000)
    tracemalloc.start()
    count = sum(1 for _ in logs.read(["a", "b"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 3_000_000


def test_words_are_of_a_run_and_not_blank(logs: Logs) -> None:
    write(logs, "a", b"old\n")
    begin = logs.mark_run("a")
    assert begin == 4
    write(logs, "a", b"new\n\n  \n\x1b[31mred\x1b[0m\n")
    assert logs.words("a", begin) == ("new", "red")
    assert logs.words("a", 0) == ("old", "new", "red")
    assert logs.words("a", begin, 1) == ("red",)
    assert logs.words("a", 10_000) == ("old", "new", "red"), "the log was emptied since"


def test_another_process_knows_where_the_run_began(logs: Logs, tmp_path: Path) -> None:
    write(logs, "a", b"old\n", at=time.time())
    logs.mark_run("a")
    write(logs, "a", b"new\n", at=time.time())
    assert Logs(tmp_path).run_offset("a") == 4


def test_a_run_that_begins_with_its_log_needs_no_index(logs: Logs, tmp_path: Path) -> None:
    assert logs.mark_run("a") == 0
    assert not (logs.folder / "a.idx").exists()
    later = time.time() + 5
    write(logs, "a", b"first\n", at=later)
    assert (logs.run_offset("a"), Logs(tmp_path).run_offset("a")) == (0, 0)
    assert list(logs.read(["a"])) == [Line(pytest.approx(later, abs=0.01), "a", "first")]
    assert logs.mark_run("a") == Logs(tmp_path).run_offset("a") == 6
    logs.path("a").write_bytes(b"")
    assert logs.mark_run("a") == Logs(tmp_path).run_offset("a") == 0
    write(logs, "a", b"anew\n", at=time.time())
    assert Logs(tmp_path).run_offset("a") == 0


def test_who_only_reads_changes_nothing(logs: Logs, tmp_path: Path) -> None:
    write(logs, "a", b"old\n" * 100, at=time.time())
    logs.mark_run("a")
    os.truncate(logs.path("a"), 0)
    before = {path.name: path.read_bytes() for path in logs.folder.iterdir()}
    reader = Logs(tmp_path)
    assert (reader.run_offset("a"), reader.words("a"), reader.tail("a", 5)) == (0, (), [])
    assert {path.name: path.read_bytes() for path in logs.folder.iterdir()} == before


def test_many_are_merged_by_time(logs: Logs) -> None:
    names = ["a", "b", "c"]
    for moment in range(30):
        name = names[moment % 3]
        write(logs, name, f"{name}{moment}\n".encode(), at=1000.0 + moment)
    expected = [f"{names[moment % 3]}{moment}" for moment in range(30)]
    lines = list(logs.read(names))
    assert [line.text for line in lines] == expected
    assert [line.time for line in lines] == [1000.0 + moment for moment in range(30)]
    assert lines[4].service == "b"
    assert texts(logs.read(names, n=7)) == expected[-7:]
    assert texts(logs.read(names, since=1020)) == expected[20:]
    assert texts(logs.read(names, since=1020, n=3)) == expected[-3:]
    assert texts(logs.read(names, since=1027.5, n=30)) == expected[28:]
    assert texts(logs.read(["b"], n=2)) == ["b25", "b28"]
    assert texts(logs.read(names, grep="[ab]2[0-5]")) == [text for text in expected if re.search("[ab]2[0-5]", text)]
    assert texts(logs.read(names, grep=re.compile("c"), n=2)) == ["c26", "c29"]


def test_lines_of_one_moment_keep_their_order(logs: Logs) -> None:
    write(logs, "a", b"".join(b"%d\n" % number for number in range(1000)), at=5.0)
    assert texts(logs.read(["a"], n=500)) == [str(number) for number in range(500, 1000)]


def test_what_the_index_does_not_cover_has_the_time_of_the_last_write(logs: Logs) -> None:
    write(logs, "a", b"early\n", at=1000.0)
    write(logs, "a", b"late\n")
    os.utime(logs.path("a"), (2000.0, 2000.0))
    assert [line.time for line in logs.read(["a"])] == [1000.0, 2000.0]
    assert texts(logs.read(["a"], since=1500)) == ["late"]


def test_times_never_run_backwards(logs: Logs) -> None:
    write(logs, "a", b"one\n", at=2000.0)
    write(logs, "a", b"two\n", at=1000.0)
    write(logs, "a", b"three\n", at=3000.0)
    assert [line.time for line in logs.read(["a"])] == [2000.0, 2000.0, 3000.0]


def test_grep_sees_no_colour_and_keeps_it(logs: Logs) -> None:
    write(logs, "a", b"\x1b[31mERR\x1b[0mOR here\nfine\n")
    assert texts(logs.read(["a"], grep="^ERROR", colour=True)) == ["\x1b[31mERR\x1b[0mOR here"]


def test_a_torn_index_is_no_harm(logs: Logs) -> None:
    write(logs, "a", b"one\n", at=1000.0)
    with (logs.folder / "a.idx").open("ab") as file:
        file.write(b"\1\2\3")
    assert [line.time for line in logs.read(["a"])] == [1000.0]


def test_quiet_logs_are_looked_at_less_often(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(80):
        write(logs, f"s{number}", b"x\n")
        logs.track(f"s{number}")
    looked: list[str] = []
    note = Logs._note
    monkeypatch.setattr(Logs, "_note", lambda self, name, now: (looked.append(name), note(self, name, now))[1])
    for _ in range(8):
        logs.tick(1e12)
    assert len(set(looked)) == 80
    assert len(looked) < 80 * 9
    looked.clear()
    logs.tick(2e12)
    assert len(looked) == 10


@pytest.mark.parametrize("keep", [0, 1, 3])
def test_rotation(logs: Logs, keep: int) -> None:
    for generation in range(4):
        write(logs, "a", f"generation {generation}\n".encode() * 100, at=1000.0 + generation)
        assert logs.rotate("a", max_bytes=1000, keep=keep)
        assert logs.path("a").stat().st_size == 0
    aside = sorted(path.name for path in logs.folder.glob("a.log.*"))
    assert aside == [f"a.log.{number + 1}" for number in range(min(keep, 4))]
    if keep == 3:
        lines = list(logs.read(["a"]))
        assert {(line.time, line.text) for line in lines} == {(1000.0 + g, f"generation {g}") for g in (1, 2, 3)}
        assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert not logs.rotate("a", max_bytes=1000, keep=keep)
    assert {path.stat().st_mode & 0o777 for path in logs.folder.iterdir()} == {0o600}


def test_only_the_end_is_put_aside_and_keeps_its_times(logs: Logs) -> None:
    for moment in range(100):
        write(logs, "a", f"line {moment:03}\n".encode(), at=1000.0 + moment)
    assert logs.rotate("a", max_bytes=24)
    lines = list(logs.read(["a"]))
    assert lines == [Line(1000.0 + moment, "a", f"line {moment:03}") for moment in range(90, 100)]
    write(logs, "a", b"after\n", at=2000.0)
    assert texts(logs.read(["a"], n=2)) == ["line 099", "after"]
    assert texts(logs.read(["a"], since=1098.5)) == ["line 099", "after"]


def test_after_rotation_the_run_begins_at_the_beginning(logs: Logs) -> None:
    write(logs, "a", b"x" * 5000 + b"\n")
    logs.mark_run("a")
    write(logs, "a", b"run\n")
    logs.rotate("a", max_bytes=100)
    assert logs.run_offset("a") == 0
    write(logs, "a", b"more\n")
    assert logs.words("a", logs.run_offset("a")) == ("more",)


def test_tick_names_what_has_outgrown(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    write(logs, "small", b"x\n", at=time.time())
    write(logs, "large", b"x" * 11, at=time.time())
    assert logs.tick() == ["large"]


def test_in_a_storm_a_log_is_put_aside_when_it_is_over_or_too_large(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("MAX_BYTES", 100), ("CALM", 10), ("LARGEST", 1000)):
        monkeypatch.setattr(files, name, value)
    logs.track("a")
    write(logs, "a", b"x" * 500)
    assert logs.tick() == []
    write(logs, "a", b"x" * 11)
    assert logs.tick() == []
    write(logs, "a", b"x" * 10)
    assert logs.tick() == ["a"]
    write(logs, "a", b"x" * 480)
    assert logs.tick() == ["a"]


def test_a_disk_with_little_room_has_its_logs_put_aside_earlier(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MAX_BYTES", 100), ("CALM", 10)):
        monkeypatch.setattr(files, name, value)
    logs.track("a")
    facts = list(os.statvfs("/"))
    facts[1], facts[4] = 1, 20 * 500
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(facts))
    write(logs, "a", b"x" * 500)
    assert logs.tick() == []
    write(logs, "a", b"x" * 500)
    assert logs.tick() == ["a"]


def test_emptied_by_hand(logs: Logs) -> None:
    write(logs, "a", b"one\ntwo\n", at=1000.0)
    os.truncate(logs.path("a"), 0)
    logs.tick(1001.0)
    write(logs, "a", b"three\n", at=1002.0)
    assert list(logs.read(["a"])) == [Line(1002.0, "a", "three")]


def test_emptied_while_no_supervisor_watched(logs: Logs, tmp_path: Path) -> None:
    write(logs, "a", b"one\ntwo\nthree\n", at=1000.0)
    logs.path("a").write_bytes(b"four\n")
    later = Logs(tmp_path)
    later.track("a")
    later.tick(time.time())
    assert logs.path("a").exists()
    assert Index(f"{logs.folder}/a.idx").time_of(0) > 1001


WRITER = """
import os, sys, time
number = 0
while number % 50 or not os.path.exists(sys.argv[1]):
    os.write(1, b"line %d .\\n" % number)
    number += 1
    if number % 50 == 0: time.sleep(0.001)
os.write(1, b"end %d .\\n" % number)
"""


def rotated_while_written(logs: Logs, rotate: Callable[[], bool], times: int, pause: float) -> int:
    """A process writes until its log was rotated so many times, and this goes on until it has ended.

    How often it was."""
    output, enough = logs.open("a"), logs.folder / "enough"
    writer = subprocess.Popen([sys.executable, "-S", "-c", WRITER, str(enough)], stdout=output)
    os.close(output)
    logs.track("a")
    rotations = 0
    deadline = time.monotonic() + 90
    try:
        while writer.poll() is None:
            rotations += rotate()
            if rotations >= times:
                enough.touch()
            assert time.monotonic() < deadline
            time.sleep(pause)
            logs.tick()
    finally:
        writer.kill()
        writer.wait()
    return rotations


def gaps(numbers: list[int]) -> int:
    """How often numbers are left out."""
    return sum(after != before + 1 for before, after in pairwise([-1, *numbers]))


def test_nothing_is_lost_while_a_service_writes(logs: Logs) -> None:
    rotations = rotated_while_written(logs, lambda: logs.rotate("a", max_bytes=50_000, keep=1000), 5, 0.005)
    lines = texts(logs.read(["a"]))
    count = int(lines.pop().split()[1])
    lines = [line for line in lines if line.endswith(" .")]  # of one that crosses a page a half may be all that is kept
    assert b"\0" not in b"".join(path.read_bytes() for path in logs.folder.glob("a.log*"))
    numbers = [int(line.split()[1]) for line in lines]
    assert gaps(numbers) <= rotations, "a line may be written between the last copy and the cut"
    assert len(numbers) == len(set(numbers)) > count / 2


def test_a_write_that_is_seen_by_halves_is_waited_for(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    write(logs, "a", b"line\n" * 100 + b"ha")
    waits: list[float] = []

    def meanwhile(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            write(logs, "a", b"lf\n")

    monkeypatch.setattr(time, "sleep", meanwhile)
    assert logs.rotate("a", max_bytes=100)
    assert texts(logs.read(["a"]))[-1] == "half"
    waits[:] = [0.0] * 2
    write(logs, "a", b"line\n" * 100 + b"a question? ")
    assert logs.rotate("a", max_bytes=100)
    assert texts(logs.read(["a"]))[-1] == "a question? "


def test_a_full_disk_is_survived(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    write(logs, "a", b"x" * 5000, at=1000.0)
    (logs.folder / "a.log.1").write_bytes(b"older")
    real = os.write

    def full(handle: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    logs.path("a").write_bytes(b"y" * 6000)
    assert logs.tick(1001.0) == []
    assert not logs.rotate("a", max_bytes=100)
    assert logs.path("a").stat().st_size == 6000
    assert not list(logs.folder.glob("*.new"))
    monkeypatch.setattr(os, "write", real)
    assert logs.rotate("a", max_bytes=100)


class Reading(threading.Thread):
    """A follower in a thread, and what it got."""

    def __init__(self, logs: Logs, names: list[str], **how: Any) -> None:
        super().__init__(daemon=True)
        self.follow = logs.follow(names, **how)
        self.lines: list[Line] = []

    def run(self) -> None:
        for line in self.follow:
            self.lines.append(line)

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.follow.stop()
        self.join(30)


def test_follow(logs: Logs, poll: Callable[..., Any]) -> None:
    write(logs, "a", b"a1\na2\na3\n", at=time.time())
    with Reading(logs, ["a", "b"], n=2) as reading:
        poll(lambda: reading.texts == ["a2", "a3"])
        write(logs, "a", b"a4\n")
        poll(lambda: reading.texts[2:] == ["a4"])
        write(logs, "b", b"created later\n")
        poll(lambda: reading.lines[-1][1:] == ("b", "created later"))
        write(logs, "a", b"half")
        write(logs, "a", b" and half\n")
        poll(lambda: reading.texts[-1] == "half and half")
        assert abs(reading.lines[-1].time - time.time()) < 60


def test_follow_shows_a_question_that_waits(logs: Logs, poll: Callable[..., Any]) -> None:
    with Reading(logs, ["a"]) as reading:
        write(logs, "a", b"sure? (y/n) ")
        poll(lambda: reading.texts == ["sure? (y/n) "])
        write(logs, "a", b"y\n")
        poll(lambda: reading.texts == ["sure? (y/n) ", "y"])


def test_follow_begins_with_whole_lines(logs: Logs, poll: Callable[..., Any]) -> None:
    write(logs, "a", b"one\ntw")
    with Reading(logs, ["a"]) as reading:
        poll(lambda: reading.texts == ["one"])
        write(logs, "a", b"o\n")
        poll(lambda: reading.texts == ["one", "two"])


def test_follow_survives_emptying_removal_and_replacement(logs: Logs, poll: Callable[..., Any]) -> None:
    write(logs, "a", b"first line\n")
    with Reading(logs, ["a"]) as reading:
        poll(lambda: reading.texts == ["first line"])
        os.truncate(logs.path("a"), 0)
        write(logs, "a", b"2nd\n")
        poll(lambda: reading.texts[1:] == ["2nd"])
        idle: list[float] = []
        logs.path("a").unlink()
        reading.follow.on_idle = idle.append
        poll(lambda: len(idle) > 1)
        write(logs, "a", b"third, and longer than before\n")
        poll(lambda: reading.texts[2:] == ["third, and longer than before"])


def test_follow_with_grep(logs: Logs, poll: Callable[..., Any]) -> None:
    write(logs, "a", b"error 1\nfine\n")
    with Reading(logs, ["a"], grep="error") as reading:
        write(logs, "a", b"fine\nerror 2\n")
        poll(lambda: reading.texts == ["error 1", "error 2"])


def test_follow_sees_each_line_once_through_rotations(logs: Logs, poll: Callable[..., Any]) -> None:
    write(logs, "a", b"")
    with Reading(logs, ["a"]) as reading:
        rotations = rotated_while_written(logs, lambda: logs.rotate("a", max_bytes=200_000), 2, 0.02)
        poll(lambda: reading.texts and re.fullmatch(r"end \d+ \.", reading.texts[-1]))
    numbers = [int(text.split()[1]) for text in reading.texts if text.endswith(" .")]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers) > numbers[-1] / 2
    assert gaps(numbers) <= rotations


def test_follow_waits_for_a_rotation_to_be_over(logs: Logs, poll: Callable[..., Any]) -> None:
    """Emptied already, the copy not in its place yet: what was not read is in the copy."""
    write(logs, "a", b"one\n")
    copy = Path(f"{logs.path('a')}.new")
    with Reading(logs, ["a"]) as reading:
        poll(lambda: reading.texts == ["one"])
        idle: list[float] = []
        copy.write_bytes(b"one\ntwo\n")
        os.truncate(logs.path("a"), 0)
        write(logs, "a", b"3\n")
        reading.follow.on_idle = idle.append
        poll(lambda: len(idle) > 1)
        copy.replace(f"{logs.path('a')}.1")
        poll(lambda: reading.texts[1:] == ["two", "3"])


def test_since_leaves_out_what_is_older_unread(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    write(logs, "a", b"old and long\n" * 100_000, at=1000.0)
    write(logs, "a", b"new\n", at=2000.0)
    read: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda handle, size, at: (read.append(size), pread(handle, size, at))[1])
    assert texts(logs.read(["a"], since=1500)) == ["new"]
    assert sum(read) < 100
