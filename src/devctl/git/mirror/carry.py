"""Making a plan's changes, each file whole or not at all, and the record before and after.

A new file is written beside the target's and moved to its place; right before, what is there is looked at again. Killed
between any two steps, every file is as it was or as it is to be, and the record knows both.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from devctl.git.mirror.policy import ABSENT, FOLDER, Carried, Change, Conflict, Plan
from devctl.git.mirror.record import NAME, WORKSHOP, Record, read, written
from devctl.git.mirror.tree import Blocked, Tree, opened, pieces, state_at

Before = Callable[[str], None]
"""Called before each step that changes something, with its name: where a test ends the process."""


class RecordUnusable(Exception):
    """What stands where the record would be is no file, or can't be read."""


def read_record(target: Tree) -> Record:
    """What was carried over; nothing when nobody ever did. Raises RecordUnusable."""
    state, _ = target.state(NAME)
    if state == ABSENT:
        return Record()
    content = target.content(NAME) if state[:2] in {"f:", "x:"} else None
    if content is None:
        raise RecordUnusable(NAME)
    return read(content)


class Carrier:
    """Changes the target, which must be locked. ``known`` is the record as it is, ``origin`` the source's commit."""

    def __init__(self, source: Tree, target: Tree, known: Record, origin: str, before: Before) -> None:
        self._source, self._target, self._known, self._before = source, target, known, before
        self._origins = (origin,) if origin else ()
        self._number = 0

    def carry(self, plan: Plan) -> tuple[Conflict, ...]:
        """Make all changes; those that could not be made after all. Raises OSError when the record can't be written."""
        self.tidy()
        if not plan.changes:
            self._remember(plan.carried)
            return ()
        self._open_workshop()
        try:
            self._remember(plan.intent())
            failed = tuple(conflict for change in plan.changes if (conflict := self._make(change)))
            self._settle(plan)
            self._remember(_kept(plan, failed))
        finally:
            self.tidy()
        return failed

    def _settle(self, plan: Plan) -> None:
        """The folders are on the disk before the record says so."""
        for path in {change.path.rpartition("/")[0] for change in plan.changes}:
            with suppress(OSError, Blocked), self._target.folder(path.split("/") if path else []) as folder:
                os.fsync(folder)

    def tidy(self) -> None:
        """What a killed run left in the workshop goes."""
        if self._target.state(WORKSHOP)[0] == FOLDER:
            self._before("tidy")
            shutil.rmtree(WORKSHOP, ignore_errors=True, dir_fd=self._target.descriptor)

    def _open_workshop(self) -> None:
        self._before("workshop")
        os.mkdir(WORKSHOP, 0o700, dir_fd=self._target.descriptor)
        with self._workshop() as folder:
            ignore = os.open(".gitignore", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=folder)
            os.write(ignore, b"*\n")
            os.close(ignore)

    def _workshop(self) -> AbstractContextManager[int]:
        return self._target.folder([WORKSHOP])

    def _remember(self, carried: Carried) -> None:
        """Write the record, if it says anything else than it did."""
        text = written(Record(carried=carried, origins=self._origins))
        present = self._target.content(NAME)
        same = (text, written(Record(carried=carried, origins=self._known.origins[:1])))
        if present in same or (present is None and not carried):
            return
        alone = self._target.state(WORKSHOP)[0] == ABSENT
        if alone:
            self._open_workshop()
        with self._workshop() as folder:
            self._before("write record")
            name = self._fresh()
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
            try:
                _write(file, text)
                os.fsync(file)
            finally:
                os.close(file)
            self._before("record")
            os.replace(name, NAME, src_dir_fd=folder, dst_dir_fd=self._target.descriptor)
        os.fsync(self._target.descriptor)
        if alone:
            self.tidy()

    def _fresh(self) -> str:
        self._number += 1
        return f"{self._number}"

    def _make(self, change: Change) -> Conflict | None:
        """Bring one path from its state to the other; why not, when it couldn't be."""
        try:
            reason = self._remove(change) if change.after == ABSENT else self._put(change)
        except Blocked as blocked:
            reason = f"{blocked.path} is no folder there any more"
        except OSError as error:
            reason = error.strerror or str(error)
        if not reason:
            return None
        return Conflict(path=change.path, present=change.before, wanted=change.after, reason=reason)

    def _remove(self, change: Change) -> str:
        with self._target.above(change.path) as (folder, name):
            self._before("remove")
            if state_at(folder, name) != change.before:
                return "it was changed there just now"
            os.unlink(name, dir_fd=folder)
        self._prune(change.path)
        return ""

    def _prune(self, path: str) -> None:
        """Folders that hold nothing any more go too, as they would in a clone."""
        while "/" in path:
            path = path.rpartition("/")[0]
            try:
                with self._target.above(path) as (folder, name):
                    self._before("remove folder")
                    os.rmdir(name, dir_fd=folder)
            except (OSError, Blocked):
                return

    def _put(self, change: Change) -> str:
        with self._workshop() as workshop:
            made = self._fresh()
            self._before("make")
            if self._made(change.path, workshop, made) != change.after:
                return "it changed in the source while it was read"
            with self._target.above(change.path, make=True) as (folder, name):
                self._before("put")
                present = state_at(folder, name)
                if present != change.before and (change.before, present) != (FOLDER, ABSENT):
                    return "it was changed there just now"
                if present == FOLDER:
                    _remove_folders(folder, name)
                    self._before("put in the folder's place")
                self._before("move")
                if not _moved(workshop, made, folder, name, over=change.before not in {ABSENT, FOLDER}):
                    return "it was changed there just now"
        return ""

    def _made(self, path: str, workshop: int, made: str) -> str:
        """A copy of the source's file or link in the workshop; its state."""
        with self._source.above(path) as (folder, name):
            if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                os.symlink(os.readlink(name, dir_fd=folder), made, dir_fd=workshop)
                return state_at(workshop, made)
            with opened(folder, name) as file:
                copy = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=workshop)
                try:
                    for piece in pieces(file):
                        _write(copy, piece)
                    os.fchmod(copy, stat.S_IMODE(os.fstat(file).st_mode) & 0o777 | stat.S_IRUSR | stat.S_IWUSR)
                    os.fsync(copy)
                finally:
                    os.close(copy)
        return state_at(workshop, made)


def _moved(workshop: int, made: str, folder: int, name: str, *, over: bool) -> bool:
    """Put it in its place in one step; False when something appeared there that was not to be replaced."""
    if not over:
        try:
            os.link(made, name, src_dir_fd=workshop, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            return False
        except (OSError, NotImplementedError):  # a file system without hard links
            os.rename(made, name, src_dir_fd=workshop, dst_dir_fd=folder)
        else:
            os.unlink(made, dir_fd=workshop)
        return True
    os.rename(made, name, src_dir_fd=workshop, dst_dir_fd=folder)
    return True


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _remove_folders(folder: int, name: str) -> None:
    """An empty folder, with the empty folders in it. Raises OSError when there is anything else."""
    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        for entry in os.listdir(inner):  # noqa: PTH208 - a descriptor is no path
            _remove_folders(inner, entry)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)


def _kept(plan: Plan, failed: tuple[Conflict, ...]) -> Carried:
    """The record after the changes: of what could not be made, both states stay possible."""
    found, intent = dict(plan.carried), plan.intent()
    for conflict in failed:
        found[conflict.path] = intent[conflict.path]
    return found
