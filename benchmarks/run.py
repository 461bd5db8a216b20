"""Measure devctl beside what people use today: `./dev bench [ITEM…] [--quick]`; docs/benchmarks.md explains it.

Raw results go into results/results.json (an item measured again replaces what it was), tables and charts beside it,
and a short table into README.md. --quick and --peers make a trial, which writes into the cache instead.
"""

from __future__ import annotations

import argparse
import compileall
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import items
import peers
from items.base import Item
from peers.base import Peer
from rig import install, machine, report, results, runner
from rig.stage import sweep

HERE = Path(__file__).parent
SOURCES = HERE.parent / "src"


def main() -> int:
    """Install what is missing, measure, write."""
    options = arguments()
    if sys.platform != "linux":
        print("bench: measures on Linux only: it reads /proc", file=sys.stderr)
        return 3
    for name in filter(_is_heeded, (signal.SIGTERM, signal.SIGHUP)):
        signal.signal(name, _interrupted)
    folder = install.cache() / "trial" if options.quick or options.peers else HERE / "results"
    if options.output:
        folder = options.output.resolve()
    if options.report:
        return _write(folder, readme=folder == HERE / "results")
    try:
        _install_and_measure(options, folder / "results.json")
        return 0 if options.install else _write(folder, readme=folder == HERE / "results")
    except KeyboardInterrupt:
        say("interrupted; the items that were done are kept")
        if (folder / "results.json").exists():
            _write(folder, readme=False)
        return 130


def _install_and_measure(options: argparse.Namespace, path: Path) -> None:
    if left := sweep():
        say(f"cleared what a killed run had left: {', '.join(left)}")
    there, missing = gather(options.peers)
    if options.install:
        return
    compileall.compile_dir(SOURCES, quiet=1)  # as installing does, also where Python is told to write no bytecode
    versions = {peer.name: peer.version() for peer in there}
    begun = time.monotonic()
    for item in items.ALL:
        if not options.items or item.key in options.items:
            _measure(item, there, versions, missing, path, options.quick)
    say(f"all done in {time.monotonic() - begun:.0f} s")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=(__doc__ or "").split("\n\n")[0])
    keys = [item.key for item in items.ALL]
    parser.add_argument("items", nargs="*", metavar="ITEM", help=f"what to measure: {', '.join(keys)} (all)")
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="a trial: only these tools, results in the cache")
    parser.add_argument("--quick", action="store_true", help="a trial: small sizes, one round, results in the cache")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write there instead")
    parser.add_argument("--report", action="store_true", help="measure nothing; write tables and charts anew")
    parser.add_argument("--install", action="store_true", help="measure nothing; install the tools")
    options = parser.parse_args()
    if unknown := [each for each in options.items if each not in keys]:
        parser.error(f"no such item: {', '.join(unknown)}; there are {', '.join(keys)}")
    names = [kind.name for kind in peers.ALL]
    if unknown := [each for each in options.peers or [] if each not in names]:
        parser.error(f"no such tool: {', '.join(unknown)}; there are {', '.join(names)}")
    return options


def gather(wanted: list[str] | None) -> tuple[list[Peer], dict[str, str]]:
    """(the tools that are there, why the others are not)."""
    there, missing = [], {}
    engine = machine.said("docker", "version", "--format", "{{.Server.Version}}")
    for kind in peers.ALL:
        if wanted and kind.name not in wanted:
            continue
        if kind.containers and not engine:
            missing[kind.name] = "no Docker engine answers"
            continue
        try:
            there.append(kind(install.installed(kind.package, say) if kind.package else Path()))
        except install.MissingError as error:
            missing[kind.name] = str(error)
            say(f"left out: {kind.name}: {error}")
    return there, missing


def _measure(
    item: Item, there: list[Peer], versions: dict[str, str], missing: dict[str, str], path: Path, quick: bool
) -> None:
    say(f"{item.key}: {item.title}")
    entry = {**results.begun(quick, versions), "missing": missing}
    runner.run(item, there, entry, quick, say)
    results.save(path, results.merged(results.load(path), item.key, entry))


def _write(folder: Path, readme: bool) -> int:
    content = results.load(folder / "results.json")
    report.write(content, folder, machine.ROOT / "README.md" if readme else None)
    say(f"written: {folder}")
    return 0


def _is_heeded(number: int) -> bool:
    """What nohup has us ignore stays ignored."""
    return signal.getsignal(number) is not signal.SIG_IGN


def _interrupted(number: int, frame: object) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
