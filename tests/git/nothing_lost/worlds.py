"""Random repositories with two remotes, of every shape that a day leaves behind. The same seed makes the same."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

SECRET = b"AKIA" + b"QYLPMN5HXEXAMPLE"
"""Planted wherever it must not leave the machine."""
ENVIRONMENT = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_TEMPLATE_DIR": "",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "LC_ALL": "C.UTF-8",
}
CONFIG = """
[user]
    name = Ada
    email = ada@example.com
[init]
    defaultBranch = dev
[protocol "file"]
    allow = always
[gc]
    auto = 0
[advice]
    detachedHead = false
"""
REWRITES = """#!/bin/sh
for f in $(git diff --cached --name-only --diff-filter=AM -- '*.fmt'); do
  [ -f "$f" ] && [ ! -L "$f" ] && echo formatted >> "$f" && git add "$f"
done
exit 0
"""
HEADS = ("plain",) * 8 + (
    "merge", "rebase", "cherry-pick", "revert", "bisect", "detached", "unborn", "shallow", "worktree", "other-branch",
)  # fmt: skip
REMOTES = ("same",) * 3 + ("ahead", "diverged", "empty", "offline", "rejects", "rewritten", "ahead-over-ignored")
HOOKS = ("none",) * 5 + ("fails", "rewrites", "pre-push fails")
CHANGES = (
    "staged", "unstaged", "partly-staged", "untracked", "ignored", "renamed", "deleted", "staged-deletion", "binary",
    "executable", "symlink", "nested", "nested-empty", "submodule", "crlf", "no-text-name", "odd-name", "env",
    "staged-env", "secret", "marker", "large", "hand-made-secret", "unpushed", "formatted", "intent-to-add",
    "removed-from-index", "stash", "file-to-folder", "folder-to-file",
)  # fmt: skip


class World:
    """``root`` holds the repository ``work`` (or a worktree of it, ``linked``) and the remotes."""

    def __init__(self, root: Path, seed: int, must: tuple[str, ...] = ()) -> None:
        self.root, self.seed = root, seed
        self.random = random.Random(seed)
        self.path = root / "work"
        pick = self.random.choice
        self.head, self.hook = pick(HEADS), pick(HOOKS)
        self.states = {"origin": pick(REMOTES), "org": pick(REMOTES)}
        self.changes = self.random.sample(CHANGES, self.random.randint(0, 9))
        for word in must:
            self._insist(word)
        self.changes.sort(key=CHANGES.index)
        self.made: list[str] = []

    def _insist(self, word: str) -> None:
        if word.startswith(("origin=", "org=")):
            self.states[word.partition("=")[0]] = word.partition("=")[2]
        elif word.startswith("hook="):
            self.hook = word.partition("=")[2]
        elif word in HEADS:
            self.head = word
        elif word not in self.changes:
            self.changes.append(word)

    def __str__(self) -> str:
        remotes = ", ".join(f"{name} {state}" for name, state in self.states.items())
        return f"seed {self.seed}: {self.head}; {remotes}; hook {self.hook}; {' '.join(self.changes)}"

    def git(self, *words: str | bytes, at: Path | None = None, check: bool = True) -> bytes:
        """Run git; what it wrote."""
        done = subprocess.run(
            ["git", "-C", at or self.path, *words], env=self.environment, capture_output=True, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"{self}: git {words}: {done.stderr.decode(errors='replace')}")
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """git's, with a configuration of its own."""
        return {**ENVIRONMENT, "HOME": str(self.root), "GIT_CONFIG_GLOBAL": str(self.root / "gitconfig")}

    def write(self, name: str | bytes, content: bytes) -> Path:
        """A file in the worktree."""
        path = self.path / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def text(self, lines: int = 4) -> bytes:
        """Content that there is nowhere else."""
        return b"".join(b"line %d\n" % self.random.getrandbits(40) for _ in range(lines))

    def commit(self, message: str) -> None:
        """Everything that is there."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "--no-verify", "-m", message)

    def build(self) -> None:
        """All of it, on disk."""
        self.root.mkdir(parents=True)
        (self.root / "gitconfig").write_text(CONFIG)
        self.git("init", "-q", "-b", "dev", str(self.path), at=self.root)
        if self.random.random() < 0.2:
            self.git("config", "fetch.prune", "true")
        for name in self.states:
            self.git("init", "-q", "--bare", str(self.root / f"{name}.git"), at=self.root)
            if self.states[name] != "offline":
                self.git(
                    "remote",
                    "add",
                    name,
                    f"../{name}.git" if self.head != "shallow" else f"file://{self.root}/{name}.git",
                )
            else:
                self.git("remote", "add", name, str(self.root / "nowhere.git"))
        if self.head != "unborn":
            self._history()
        self._hooks()
        for change in self.changes:
            if self.head == "unborn" and change not in _WITHOUT_HISTORY:
                continue
            getattr(self, f"_{change.replace('-', '_')}")()
            self.made.append(change)

    def _history(self) -> None:
        self.write(".gitignore", b"ignored*\n*.log\n.env.local\n")
        self.write(".gitattributes", b"*.txt text=auto eol=crlf\n")
        for name in ("a", "b", "c", "d/e", "d/f", "g.fmt", "h", "old name", "i.txt"):
            self.write(name, self.text())
        self.commit("first")
        self.git("branch", "master")
        for number in range(self.random.randint(0, 2)):
            self.write("a", self.text())
            self.commit(f"dev {number}")
        for name, state in self.states.items():
            self._remote(name, state)
        getattr(self, f"_head_{self.head.replace('-', '_')}")()

    def _remote(self, name: str, state: str) -> None:
        if state in {"offline", "empty"}:
            return
        self.git("push", "-q", name, "dev", "master")
        if state == "rejects":
            hook = self.root / f"{name}.git/hooks/update"
            hook.parent.mkdir()
            hook.write_text('#!/bin/sh\ncase $1 in refs/heads/master) echo "master is protected"; exit 1;; esac\n')
            hook.chmod(0o755)
        elif state != "same":
            self._colleague(name, state)
        if state == "diverged":
            self.write("c", self.text())
            self.commit(f"mine beside {name}")

    def _colleague(self, name: str, state: str) -> None:
        other = self.root / f"colleague-{name}"
        self.git("clone", "-q", "-b", "dev", str(self.root / f"{name}.git"), str(other), at=self.root)
        if state == "rewritten":
            self.git("commit", "-q", "--amend", "-m", "rewritten", at=other)
        (other / f"theirs-{name}").write_bytes(self.text())
        (other / "h").write_bytes(self.text())
        if state == "ahead-over-ignored":
            (other / "ignored-config").write_bytes(self.text())
            self.write("ignored-config", b"mine alone\n" + self.text())
        self.git("add", "-Af", at=other)
        self.git("commit", "-q", "-m", "theirs", at=other)
        force = ["--force"] if state == "rewritten" else []
        self.git("push", "-q", *force, "origin", "dev", at=other)
        shutil.rmtree(other)

    def _hooks(self) -> None:
        folder = self.root / "work/.git/hooks"
        folder.mkdir(exist_ok=True)
        hooks = {
            "fails": ("pre-commit", "#!/bin/sh\necho lint says no; exit 1\n"),
            "rewrites": ("pre-commit", REWRITES),
            "pre-push fails": ("pre-push", "#!/bin/sh\necho tests fail; exit 1\n"),
        }
        if self.hook in hooks:
            name, text = hooks[self.hook]
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def _head_plain(self) -> None:
        pass

    def _head_unborn(self) -> None:
        pass

    def _conflict(self, *words: str) -> None:
        """Two commits that change the same line, and what makes git stop between them."""
        self.git("checkout", "-q", "-b", "side")
        self.write("b", b"side\n" + self.text())
        self.commit("side")
        self.git("checkout", "-q", "dev")
        self.write("b", b"dev\n" + self.text())
        self.commit("dev's own")
        self.git(*words, check=False)

    def _head_merge(self) -> None:
        self._conflict("merge", "side")

    def _head_rebase(self) -> None:
        self._conflict("rebase", "side")

    def _head_cherry_pick(self) -> None:
        self._conflict("cherry-pick", "side")

    def _head_revert(self) -> None:
        self._conflict("revert", "--no-edit", "side")

    def _head_bisect(self) -> None:
        self.git("bisect", "start")

    def _head_detached(self) -> None:
        self.git("checkout", "-q", "--detach")

    def _head_other_branch(self) -> None:
        self.git("checkout", "-q", "-b", "feature/x")

    def _head_worktree(self) -> None:
        self.git("checkout", "-q", "-b", "elsewhere")
        self.git("worktree", "add", "-q", str(self.root / "linked"), "dev")
        self.path = self.root / "linked"

    def _head_shallow(self) -> None:
        if self.states["origin"] in {"offline", "empty"}:
            return
        shutil.rmtree(self.path)
        self.git(
            "clone", "-q", "--depth", "1", "-b", "dev", f"file://{self.root}/origin.git", str(self.path), at=self.root
        )
        self.git("branch", "-q", "master")
        org = self.root / ("nowhere.git" if self.states["org"] == "offline" else "org.git")
        self.git("remote", "add", "org", f"file://{org}")

    def _staged(self) -> None:
        self.write("a", self.text())
        self.git("add", "a")

    def _unstaged(self) -> None:
        self.write("c", self.text())

    def _partly_staged(self) -> None:
        self.write("d/e", self.text())
        self.git("add", "d/e")
        self.write("d/e", self.text())

    def _untracked(self) -> None:
        self.write("new/deep/file", self.text())

    def _ignored(self) -> None:
        self.write("ignored/file", self.text())
        self.write("x.log", self.text())

    def _renamed(self) -> None:
        if (self.path / "old name").exists():
            self.git("mv", "-f", "old name", "new name")

    def _deleted(self) -> None:
        (self.path / "d/f").unlink(missing_ok=True)

    def _staged_deletion(self) -> None:
        self.git("rm", "-qf", "--ignore-unmatch", "h")

    def _binary(self) -> None:
        self.write("binary.bin", bytes(self.random.getrandbits(8) for _ in range(200)) + b"\0")

    def _executable(self) -> None:
        if (self.path / "g.fmt").exists():
            (self.path / "g.fmt").chmod(0o755)

    def _symlink(self) -> None:
        (self.path / "link").symlink_to(f"to/{self.random.getrandbits(30)}")

    def _nested(self) -> None:
        self.git("init", "-q", "nested")
        (self.path / "nested/file").write_bytes(self.text())
        self.git("add", "file", at=self.path / "nested")
        self.git("commit", "-qm", "inner", at=self.path / "nested")
        (self.path / "nested/more").write_bytes(self.text())

    def _nested_empty(self) -> None:
        self.git("init", "-q", "nested-empty")
        (self.path / "nested-empty/file").write_bytes(self.text())

    def _submodule(self) -> None:
        inner = self.root / "inner"
        self.git("init", "-q", "-b", "main", str(inner), at=self.root)
        (inner / "file").write_bytes(self.text())
        self.git("add", "-A", at=inner)
        self.git("commit", "-qm", "inner", at=inner)
        self.git("submodule", "--quiet", "add", str(inner), "sub", check=False)
        if self.random.random() < 0.5 and (self.path / "sub").is_dir():
            (self.path / "sub/own").write_bytes(self.text())

    def _crlf(self) -> None:
        self.write("windows.txt", b"one\r\ntwo\r\n" + self.text().replace(b"\n", b"\r\n"))
        self.write("i.txt", b"mixed\r\nends\n" + self.text())

    def _no_text_name(self) -> None:
        self.write(b"caf\xe9", self.text())

    def _odd_name(self) -> None:
        self.write("*[a]? ' \" \t\n-x", self.text())
        self.write(":(glob)y", self.text())

    def _file_to_folder(self) -> None:
        (self.path / "c").unlink(missing_ok=True)
        self.write("c/inside", self.text())

    def _folder_to_file(self) -> None:
        shutil.rmtree(self.path / "d", ignore_errors=True)
        self.write("d", self.text())

    def _env(self) -> None:
        self.write("service/.env", b"KEY=" + SECRET + b"\n")
        self.write(".env.local", b"KEY=" + SECRET + b"\n")

    def _staged_env(self) -> None:
        self.write("staged/.env", b"PASSWORD=hunter2\nKEY=" + SECRET + b"\n")
        self.git("add", "-f", "staged/.env")

    def _secret(self) -> None:
        self.write("config.py", b'KEY = "' + SECRET + b'"\n')

    def _marker(self) -> None:
        self.write("conflicted", b"a\n<<<<<<< HEAD\nmine\n=======\ntheirs\n>>>>>>> side\n" + self.text())

    def _large(self) -> None:
        self.write("large", self.text() + b"x" * 60_000)

    def _hand_made_secret(self) -> None:
        """Committed by hand, and in a later commit taken out again: it is in the history all the same."""
        if self.head in {"merge", "rebase", "cherry-pick", "revert"}:
            return
        self.write("settings.py", b'KEY = "' + SECRET + b'"\n')
        self.git("add", "settings.py")
        self.git("commit", "-q", "--no-verify", "-m", "by hand", "--", "settings.py")
        self.write("settings.py", b"KEY = None\n")
        self.git("commit", "-q", "--no-verify", "-m", "taken out", "--", "settings.py")

    def _unpushed(self) -> None:
        if self.head in {"merge", "rebase", "cherry-pick", "revert"}:
            return
        self.write("unpushed", self.text())
        self.git("add", "unpushed")
        self.git("commit", "-q", "--no-verify", "-m", "by hand", "--", "unpushed")

    def _formatted(self) -> None:
        self.write("z.fmt", self.text())

    def _intent_to_add(self) -> None:
        self.write("intended", self.text())
        self.git("add", "-N", "intended")

    def _removed_from_index(self) -> None:
        self.git("rm", "-q", "--cached", "--ignore-unmatch", "a", check=False)

    def _stash(self) -> None:
        if self.head in {"merge", "rebase", "cherry-pick", "revert"} or not (self.path / "b").is_file():
            return
        self.write("b", self.text())
        self.git("stash", "push", "-q", "--", "b", check=False)


_WITHOUT_HISTORY = {
    "staged", "unstaged", "partly-staged", "untracked", "binary", "symlink", "nested", "nested-empty", "crlf",
    "no-text-name", "odd-name", "env", "staged-env", "secret", "marker", "large", "formatted", "intent-to-add",
}  # fmt: skip
