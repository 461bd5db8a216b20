"""``devctl remotes``: every repository, branch and remote; ``--stale``: what nobody pushed to for long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from devctl.cli.place import Place, here
from devctl.errors import DevctlError, Exit

if TYPE_CHECKING:
    from devctl.git.pending import Waiting
    from devctl.git.remotes import Lane, Remote, Survey
    from devctl.ui.remotes import LaneRow, RemoteRow, RepositoryRows

app = typer.Typer(add_completion=False, rich_markup_mode=None)

DAYS = 90
"""Days without a push after which a repository is listed."""


@app.command()
def remotes(
    context: typer.Context,
    stale: Annotated[
        bool, typer.Option("--stale", help="Repositories on GitHub that nobody pushed to for long.")
    ] = False,
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", min=1, help=f"With --stale: how long. Default: {DAYS}.")
    ] = None,
    owner: Annotated[
        str, typer.Option("--owner", metavar="NAME", help="With --stale: whose. Default: whom the remotes name.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Set up missing remotes without asking.")] = False,
) -> int:
    """Every repository, branch, remote: ahead, behind, last sync. Remotes that the manifest names are set up."""
    place = here(context)
    if stale:
        from devctl.cli.stale import show_stale

        return show_stale(place, owner, days or DAYS, as_json=as_json)
    if days is not None or owner:
        raise DevctlError("--days and --owner go with --stale", hint="devctl remotes --stale", code=Exit.USAGE)
    return _show(place, yes=yes, as_json=as_json)


def _show(place: Place, *, yes: bool, as_json: bool) -> int:
    from devctl.cli.terminal import print_json
    from devctl.cli.waiting import screen
    from devctl.git.pending import read
    from devctl.git.remotes import survey
    from devctl.ui.remotes import remotes_screen

    repositories = place.manifest.git
    if not repositories:
        hint = "add git: {path: …, branch: dev} to it"
        raise DevctlError("the manifest names no repository", place.manifest.file, hint=hint, code=Exit.USAGE)
    surveys = [survey(each) for each in repositories]
    if _set_up(place, surveys, yes=yes, may_ask=not as_json):
        surveys = [survey(each) for each in repositories]
    waiting = read(place.workspace)
    if as_json:
        print_json({"repositories": [_record(each, waiting) for each in surveys]})
        return Exit.DONE
    out, now = screen(), time.time()
    out.write(remotes_screen([_rows(place, each, waiting, now) for each in surveys], out.glyphs, out.width))
    return Exit.DONE


def _set_up(place: Place, surveys: Sequence[Survey], *, yes: bool, may_ask: bool) -> bool:
    """Whether remotes were added: those with a URL in the manifest, when the user says so."""
    from devctl.cli.terminal import can_ask, confirmed, tell
    from devctl.git.remotes import set_up

    lacking = {index: each.missing for index, each in enumerate(surveys) if each.missing}
    if not lacking or not (yes or (may_ask and can_ask())):
        return False
    said = [
        f"{remote.name} {remote.url}  in {_short(place, surveys[index].path)}"
        for index in lacking
        for remote in surveys[index].remotes
        if remote.name in lacking[index]
    ]
    try:
        question = "set up " + ("this remote" if len(said) == 1 else "these remotes")
        confirmed(
            "".join(f"  {line}\n" for line in said) + f"{question}?", yes=yes, otherwise=DevctlError("nothing was done")
        )
    except DevctlError:
        return False
    for index, names in lacking.items():
        set_up(place.manifest.git[index], names)
    tell([f"set up: {line}" for line in said])
    return True


def _short(place: Place, path: str) -> str:
    return path.removeprefix(f"{place.manifest.root}/")


def _record(each: Survey, waiting: Sequence[Waiting]) -> dict[str, Any]:
    return {
        "path": each.path,
        "branch": each.branch or None,
        "problem": each.problem or None,
        "remotes": [{"name": one.name, "url": one.url, "missing": one.missing} for one in each.remotes],
        "branches": [
            {
                "branch": lane.branch,
                "remote": lane.remote,
                "ahead": lane.ahead,
                "behind": lane.behind,
                "known": lane.known,
                "last_sync": _moment(lane.moved),
                "pending": _pending(each, lane, waiting) or None,
            }
            for lane in each.lanes
        ],
    }


def _moment(seconds: float) -> str | None:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else None


def _rows(place: Place, each: Survey, waiting: Sequence[Waiting], now: float) -> RepositoryRows:
    from devctl.ui.remotes import RepositoryRows

    hints = [f"devctl remotes --yes sets up {', '.join(each.missing)}"] if each.missing else []
    nameless = [one.name for one in each.remotes if one.missing and not one.url]
    hints += [f"git -C {_short(place, each.path)} remote add {name} URL" for name in nameless]
    return RepositoryRows(
        path=_short(place, each.path),
        branch=each.branch,
        problem=each.problem,
        lanes=[_lane(lane, _pending(each, lane, waiting), now) for lane in each.lanes],
        remotes=[_remote(one) for one in each.remotes],
        hints=hints,
    )


def _remote(one: Remote) -> RemoteRow:
    from devctl.ui.remotes import RemoteRow

    if one.missing:
        return RemoteRow(one.name, one.url, "not set up here")
    return RemoteRow(one.name, one.url, f"the manifest says {one.elsewhere}" if one.elsewhere else "")


def _pending(each: Survey, lane: Lane, waiting: Sequence[Waiting]) -> str:
    """Why a branch could not be pushed the last time, "" when nothing waits."""
    mine = (one for one in waiting if (one.repository, one.remote) == (each.path, lane.remote))
    return next((one.reason or str(one) for one in mine if lane.branch in one.branches), "")


def _lane(lane: Lane, pending: str, now: float) -> LaneRow:
    from devctl.ui.remotes import LaneRow
    from devctl.ui.theme import Look

    both = lane.known and lane.here
    shape, remark = Look.READY, ""
    if not lane.here:
        shape, remark = Look.WAITING, "no such branch here"
    elif not lane.known:
        shape, remark = Look.RETRYING, f"not on {lane.remote} yet"
    elif lane.ahead and lane.behind:
        shape, remark = Look.FAILED, "gone apart"
    elif lane.ahead or lane.behind:
        shape = Look.RETRYING
    if pending:
        shape, remark = Look.RETRYING, f"{remark}; not pushed: {pending}".removeprefix("; ")
    return LaneRow(
        lane.branch,
        lane.remote,
        str(lane.ahead) if lane.here else "",
        str(lane.behind) if both else "",
        max(0.0, now - lane.moved) if lane.moved else None,
        remark,
        shape,
    )
