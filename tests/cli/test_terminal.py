"""What only happens on a terminal: the live view, questions, keys, Ctrl-C."""

from __future__ import annotations

import json
import re
import sys
import termios
from typing import Any


def test_up_on_a_terminal_draws_and_clears_and_says_how_it_went(place: Any, free_port: Any) -> None:
    one, two = free_port(), free_port()
    slow = f"sleep 0.3; exec {sys.executable} server.py"  # what takes no time at all has no place in the path
    services = {"db": place.server(one), "api": place.server(two, depends_on=["db"])}
    services |= {name: {**each, "command": f"{slow} {each['ports'][0]}"} for name, each in services.items()}
    place.write(services)
    screen = place.on_terminal("up", size=(80, 24))
    assert screen.end() == 0
    assert "\x1b[?25l" in screen.text
    assert screen.text.rindex("\x1b[?25h") > screen.text.rindex("\x1b[?25l")
    assert "waits for db to be healthy" in screen.plain
    assert re.search(r"\x1b\[\d+A\x1b\[J\x1b\[\?25h", screen.text), "the live view is taken away at the end"
    last = screen.plain[screen.plain.rindex(" ✓ ") :].splitlines()
    assert last[0].startswith(" ✓ 2 services healthy in ")
    assert "db " in last[0]
    assert "→ api" in last[0]
    assert f"http://127.0.0.1:{two}/" in "".join(last)
    again = place.on_terminal("up")
    assert again.end() == 0
    assert "nothing to do: both services were healthy already" in again.plain


def test_a_failure_shows_at_once_above_the_live_view(place: Any, free_port: Any) -> None:
    never = place.server(free_port(), command="sleep 600")
    broken = {"path": ".", "command": "echo cannot find it; exit 3", "restart": "no"}
    place.write({"slow": never, "broken": broken})
    screen = place.on_terminal("up")
    screen.until("cannot find it")
    assert screen.process.poll() is None
    assert " ✗ broken ended with exit code 3\n   │ cannot find it\n" in screen.plain
    screen.keys("\x03")
    assert screen.end() == 130


def test_ctrl_c_stops_waiting_and_the_cursor_comes_back(place: Any, free_port: Any) -> None:
    place.write({"slow": place.server(free_port(), command="sleep 600")})
    screen = place.on_terminal("up")
    screen.until("connection refused")
    screen.keys("\x03")
    assert screen.end() == 130
    assert "no longer waiting; services go on: devctl status, devctl down" in screen.plain
    assert screen.text.rindex("\x1b[?25h") > screen.text.rindex("\x1b[?25l")
    (service,) = json.loads(place.run("status", "--json").stdout)["services"]
    assert service["state"] == "running"


def test_status_watch_ends_with_q_and_leaves_the_terminal_as_it_was(place: Any, free_port: Any) -> None:
    place.write({"db": place.server(free_port())})
    assert place.run("up").returncode == 0
    screen = place.on_terminal("status", "--watch", size=(100, 20))
    screen.until("q quits")
    assert "1 of 1 service healthy" in screen.plain
    assert not termios.tcgetattr(screen.slave)[3] & termios.ICANON
    screen.keys("xq")
    assert screen.end() == 0
    assert termios.tcgetattr(screen.slave) == screen.before
    assert screen.text.endswith("\x1b[?1049l\x1b[?25h")


def test_status_watch_goes_on_when_everything_goes_down(place: Any, free_port: Any) -> None:
    place.write({"db": place.server(free_port())})
    assert place.run("up").returncode == 0
    screen = place.on_terminal("status", "--watch")
    screen.until("1 of 1 service healthy")
    assert place.run("down").returncode == 0
    screen.until("nothing is running")
    screen.keys("\x1b")
    assert screen.end() == 3


def test_watch_without_a_terminal_says_what_to_type(place: Any) -> None:
    place.write({"a": {"library": True, "path": "."}})
    done = place.run("status", "--watch")
    assert done.returncode == 2
    assert "devctl status --watch --json" in done.stderr


def test_a_held_port_is_freed_when_the_user_says_so_and_only_then(place: Any, free_port: Any, stranger: Any) -> None:
    port = free_port()
    place.write({"db": place.server(port)})
    holder = stranger(port)
    screen = place.on_terminal("up")
    screen.until("free it? [y/N]")
    assert f"(pid {holder.pid}" in screen.plain.replace("\n   ", " ")
    screen.keys("\r")
    assert screen.end() == 3
    assert holder.poll() is None
    screen = place.on_terminal("up")
    screen.until("free it? [y/N]")
    screen.keys("y\r")
    assert screen.end() == 0
    assert holder.wait(30) != 0


def test_freeing_a_port_asks_too(place: Any, free_port: Any, stranger: Any) -> None:
    port = free_port()
    place.write({"db": place.server(port)})
    holder = stranger(port)
    refused = place.run("ports", "--free", str(port))
    assert refused.returncode == 3
    assert f"devctl ports --free {port} --yes" in refused.stderr
    assert holder.poll() is None
    screen = place.on_terminal("ports", "--free", str(port))
    screen.until("end it? [y/N]")
    screen.keys("n\r")
    assert screen.end() == 3
    assert holder.poll() is None
    done = place.run("ports", "--free", str(port), "--yes")
    assert done.returncode == 0
    assert done.stdout.startswith(f"port {port} is free: ")
    assert holder.wait(30) != 0
    assert place.run("ports", "--free", str(port)).stdout == f"port {port} is free already\n"


def test_logs_on_a_terminal_name_each_service_in_its_own_colour(place: Any) -> None:
    folder = place.root / ".devctl" / "logs"
    folder.mkdir(parents=True)
    (folder / "a.log").write_text("one \x1b[31mred\n")
    (folder / "bb.log").write_text("two\n")
    command = {"path": ".", "command": [sys.executable, "-c", ""]}
    place.write({"a": command, "bb": command})
    screen = place.on_terminal("logs")
    assert screen.end() == 0
    assert screen.plain == "a  | one red\nbb | two\n"
    assert "\x1b[36ma  | \x1b[0mone \x1b[31mred\x1b[0m" in screen.text
    assert "\x1b[33mbb | \x1b[0m" in screen.text
    assert place.run("logs").stdout == "a  | one red\nbb | two\n"
    colourless = place.on_terminal("logs", NO_COLOR="1")
    assert colourless.end() == 0
    assert colourless.text == "a  | one red\r\nbb | two\r\n"


def test_following_logs_ends_with_ctrl_c(place: Any, free_port: Any) -> None:
    port = free_port()
    ticks = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done"
    place.write({"a": {"path": ".", "command": ticks}, "b": place.server(port)})
    assert place.run("up").returncode == 0
    screen = place.on_terminal("logs", "-f", "a")
    screen.until("tick 9\n")
    screen.keys("\x03")
    assert screen.end() == 130
    assert "Traceback" not in screen.plain
