"""The dashboard of ``status``: made to fit its terminal by saying the same in fewer columns, never by wrapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from devctl.api.protocol import Snapshot
from devctl.core.model import Manifest, Runtime, Service
from devctl.core.state import State
from devctl.ui.columns import Column, aligned, clipped, drop_empty, narrowed, squeezed, total
from devctl.ui.text import Text
from devctl.ui.theme import COLOURS, FAINT, STRONG, Glyphs, Look, look, shown_health, word
from devctl.ui.view import Row, rows
from devctl.ui.words import count, listing, size, uptime

NARROWEST_NAME = 8


def dashboard(manifest: Manifest, snapshot: Snapshot, glyphs: Glyphs, width: int) -> list[Text]:
    """The whole screen of ``status`` in ``width`` columns; 0: a pipe, everything in full and a line a service."""
    services = rows(manifest, snapshot)
    if not width:
        return _piped(services)
    lines = [_headline(manifest, snapshot, services, glyphs), Text()]
    if not services:
        return [*lines, Text("  the manifest has no services", style=FAINT)]
    head, body = aligned(_fitting(services, glyphs, width - 4), FAINT)
    if head is not None:
        lines.append(Text("    ").append(head))
    for row, line in zip(services, body, strict=True):
        lines.append(Text("  ").append(_mark(row, glyphs)).append(" ").append(line))
        lines += _because(row, glyphs)
    return [clipped(line, width, glyphs.ellipsis) for line in (*lines, *_footer(services, glyphs, snapshot))]


def _headline(manifest: Manifest, snapshot: Snapshot, services: Sequence[Row], glyphs: Glyphs) -> Text:
    line = Text(" ").append(manifest.name, style=STRONG)
    if not snapshot.pid:
        return line.append("  nothing is running", style=FAINT)
    wanted = [row for row in services if row.wanted and row.service.runtime is not Runtime.LIBRARY]
    ready = sum(_look(row) in {Look.READY, Look.DONE} for row in wanted)
    style = COLOURS[Look.READY] if ready == len(wanted) else COLOURS[Look.RETRYING]
    line.append("  ").append(f"{ready} of {count(len(wanted), 'service')} healthy", style=style)
    age = uptime(snapshot.clock[0] - snapshot.started)
    return line.append(f"  {glyphs.dot}  supervisor {snapshot.pid}, up {age}", style=FAINT)


def _footer(services: Sequence[Row], glyphs: Glyphs, snapshot: Snapshot) -> list[Text]:
    if not snapshot.pid:
        return [Text(), Text(f"  {glyphs.arrow} devctl up", style=COLOURS[Look.BUSY])]
    lines = [Text(f"  {text}", style=FAINT) for text in substitutes([row.service for row in services if row.wanted])]
    failed = [row.service.name for row in services if _look(row) in {Look.FAILED, Look.RETRYING}]
    if failed:
        lines.append(Text(f"  {glyphs.arrow} devctl why {failed[0]}", style=COLOURS[Look.BUSY]))
    return [Text(), *lines] if lines else []


def substitutes(services: Sequence[Service]) -> list[str]:
    """Which compose services run without a container, and why: a line for each reason."""
    reasons: dict[str, list[str]] = {}
    for service in services:
        if service.compose and service.runtime is Runtime.PROCESS:
            reasons.setdefault(service.runtime_reason, []).append(service.name)
    return [
        f"{listing(names, 6)} {'runs' if len(names) == 1 else 'run'} without a container: {reason}"
        for reason, names in reasons.items()
    ]


def _look(row: Row) -> Look:
    return look(row.service, row.state, row.hold)


def _mark(row: Row, glyphs: Glyphs) -> Text:
    shape = _look(row)
    return Text(glyphs.looks[shape], style=COLOURS[shape])


def _because(row: Row, glyphs: Glyphs) -> list[Text]:
    if not row.reason:
        return []
    failed = _look(row) in {Look.FAILED, Look.RETRYING}
    line = Text(f"    {glyphs.branch} ", style=FAINT).append(row.reason, style="" if failed else FAINT)
    return [line]


def _fitting(services: Sequence[Row], glyphs: Glyphs, width: int) -> tuple[Column, ...]:
    """The fullest set of columns that fits; if none does, the names are cut, then the last columns go."""
    columns: tuple[Column, ...] = ()
    for build in (_full, _merged, _short, _shortest):
        columns = _shorter_urls(drop_empty(build(services, glyphs)), width, glyphs)
        if total(columns) <= width:
            return columns
    while len(columns) > 2 and total(columns) - columns[0].width + NARROWEST_NAME > width:
        columns = columns[:-1]
    room = max(NARROWEST_NAME, width - total(columns) + columns[0].width)
    names = Column(columns[0].title, tuple(squeezed(cell, room, glyphs.ellipsis) for cell in columns[0].cells))
    return (names, *columns[1:])


def _shorter_urls(columns: tuple[Column, ...], width: int, glyphs: Glyphs) -> tuple[Column, ...]:
    """One long address must not cost everybody a column: it is cut, down to the others' usual length."""
    over = total(columns) - width
    urls = [column for column in columns if column.title == "URL"]
    if over <= 0 or not urls:
        return columns
    lengths = sorted(cell.cell_len for cell in urls[0].cells if cell.plain)
    usual = max(len("URL"), lengths[len(lengths) // 2])
    cut = narrowed(urls[0], max(usual, urls[0].width - over), glyphs.ellipsis)
    return tuple(cut if column is urls[0] else column for column in columns)


def _full(services: Sequence[Row], _: Glyphs) -> tuple[Column, ...]:
    return (
        _names(services),
        _column("STATE", services, lambda row: _state(row, row.state.state.value)),
        _column("HEALTH", services, _health),
        _column("PORT", services, _ports),
        _column("URL", services, _url),
        *_numbers(services, "RESTARTS"),
        _runtime(services),
    )


def _merged(services: Sequence[Row], glyphs: Glyphs) -> tuple[Column, ...]:
    return _names(services), _word(services), *_full(services, glyphs)[3:]


def _short(services: Sequence[Row], glyphs: Glyphs) -> tuple[Column, ...]:
    where = _column("URL", services, _address)
    return _names(services), _word(services), where, *_numbers(services, glyphs.restarts), _runtime(services)


def _shortest(services: Sequence[Row], glyphs: Glyphs) -> tuple[Column, ...]:
    where = _column("PORT", services, _ports)
    return _names(services), _word(services), where, *_numbers(services, glyphs.restarts), _runtime(services)


def _piped(services: Sequence[Row]) -> list[Text]:
    columns = (*_full(services, _NO_GLYPHS), _column("REASON", services, _reason))
    dashes = tuple(
        Column(column.title, tuple(Text(cell.plain or "-") for cell in column.cells), column.right)
        for column in columns
    )
    head, body = aligned(dashes)
    return [*([head] if head is not None else []), *body]


def _reason(row: Row) -> Text:
    service = row.service
    without = service.compose and service.runtime is Runtime.PROCESS
    return Text(row.reason or (f"without a container: {service.runtime_reason}" if without else ""))


_NO_GLYPHS = Glyphs(dict.fromkeys(Look, ""), "", "", "", "", "", "", "", "", "")


def _column(title: str, services: Sequence[Row], cell: Callable[[Row], Text], right: bool = False) -> Column:
    return Column(title, tuple(cell(row) for row in services), right)


def _names(services: Sequence[Row]) -> Column:
    return _column("SERVICE", services, lambda row: Text(row.service.name, style=STRONG if row.wanted else ""))


def _word(services: Sequence[Row]) -> Column:
    return _column("STATE", services, lambda row: _state(row, word(row.service, row.state, row.hold)))


def _runtime(services: Sequence[Row]) -> Column:
    return _column("RUNTIME", services, lambda row: Text(row.service.runtime.value, style=FAINT))


def _numbers(services: Sequence[Row], restarts: str) -> tuple[Column, ...]:
    return (
        _column("UPTIME", services, _uptime, right=True),
        _column(restarts, services, _restarts, right=True),
        _column("CPU", services, lambda row: Text(f"{row.usage.cpu_percent:.1f}%" if row.usage else ""), right=True),
        _column("MEMORY", services, lambda row: Text(size(row.usage.memory_bytes) if row.usage else ""), right=True),
    )


def _state(row: Row, text: str) -> Text:
    library = row.service.runtime is Runtime.LIBRARY
    return Text("library" if library else text, style=FAINT if library else COLOURS[_look(row)])


def _health(row: Row) -> Text:
    value = shown_health(row.state).value
    return Text("" if value == "none" else value, style=COLOURS[_look(row)])


def _ports(row: Row) -> Text:
    return Text(" ".join(str(port.number) for port in row.service.ports))


def _url(row: Row) -> Text:
    """Underlined by terminals that know links, so that the short forms lead there too."""
    return Text(row.service.url, style=f"link {row.service.url}" if row.service.url else "")


def _address(row: Row) -> Text:
    """The URL without what every URL here begins with; a bare port where there is none."""
    url = row.service.url
    if not url:
        return Text(f":{row.service.ports[0].number}" if row.service.ports else "")
    short = url.removeprefix("http://").removeprefix("localhost").removeprefix("127.0.0.1").rstrip("/")
    return Text(short, style=f"link {url}")


def _uptime(row: Row) -> Text:
    return Text(uptime(row.seconds) if row.state.state is State.RUNNING else "")


def _restarts(row: Row) -> Text:
    number = row.state.restarts
    return Text(str(number) if row.state.run else "", style=COLOURS[Look.RETRYING] if number else FAINT)
