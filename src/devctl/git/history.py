"""The commits that a push would take along, read by GitPython.

It reads well what was committed; what is written goes through git's own commands (see repository). Importing it costs
120 ms, so only a dry run does.
"""

from __future__ import annotations

from pathlib import Path

MOST = 5
"""Subjects that are named; more are counted."""


def subjects(root: Path, head: str, theirs: str) -> str:
    """``3 commits: Mend the login; …``, newest first; "" when there is none. ``theirs`` may be "": all of them."""
    from git.exc import GitError

    from git import Repo

    try:
        with Repo(root) as repo:
            repo.git.update_environment(GIT_DIR=repo.git_dir)  # a hook's would lead elsewhere
            wanted = f"{theirs}..{head}" if theirs else head
            found = [str(commit.summary) for commit in repo.iter_commits(wanted)]
    except (GitError, ValueError, OSError):  # such as a repository with SHA-256 ids, which it does not know
        return ""
    named = "; ".join(found[:MOST]) + ("; …" if len(found) > MOST else "")
    return f"{len(found)} commit{'' if len(found) == 1 else 's'}: {named}" if found else ""
