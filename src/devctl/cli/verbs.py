"""Every verb: where it is, and what the overview says of it. A verb's module is imported when it is called."""

from __future__ import annotations


class Verb:
    """``module`` holds a Typer app called ``app``; ``about`` is its line in the overview."""

    def __init__(self, module: str, about: str) -> None:
        self.module, self.about = module, about


FAMILIES: dict[str, dict[str, Verb]] = {
    "Every day": {
        "up": Verb("devctl.cli.up", "start services and what they need, wait until all are healthy"),
        "down": Verb("devctl.cli.down", "stop services and what needs them, or everything"),
        "restart": Verb("devctl.cli.restart", "the same process or container anew"),
        "status": Verb("devctl.cli.status", "the dashboard"),
        "why": Verb("devctl.cli.why", "what a service needs, what needs it, and why it is not up"),
        "logs": Verb("devctl.cli.logs", "the logs of one service, or of many merged by time"),
    },
    "The day in git": {
        "sync": Verb("devctl.cli.sync", "commit, promote, push and mirror, as services.yaml says"),
        "remotes": Verb("devctl.cli.remotes", "every repository, branch and remote: ahead, behind, last sync"),
        "mirror": Verb("devctl.cli.mirror", "folders carried over one way"),
        "today": Verb("devctl.cli.today", "what ran, failed, was committed and synced today, and what is pending"),
    },
    "Databases": {
        "db": Verb("devctl.cli.db", "migrations and copies of a service's database"),
    },
    "Before production": {
        "predeploy": Verb("devctl.cli.predeploy", "every check before a deployment, in one table"),
        "ci": Verb("devctl.cli.ci", "the same as a workflow of GitHub Actions, and the checklist"),
    },
    "The machine": {
        "clean": Verb("devctl.cli.clean", "tidy up what the manifest lists, with sizes"),
        "ports": Verb("devctl.cli.ports", "every port of the manifest: free, ours, or held by whom"),
        "check": Verb("devctl.cli.check", "everything that can be known without starting anything"),
        "schema": Verb("devctl.cli.schema", "the JSON Schema of services.yaml, for editors"),
    },
}

VERBS: dict[str, Verb] = {name: verb for family in FAMILIES.values() for name, verb in family.items()}

DATABASE: dict[str, Verb] = {
    "check": Verb("devctl.cli.db.check", "the database against the service's models"),
    "pending": Verb("devctl.cli.db.pending", "what an upgrade would apply"),
    "history": Verb("devctl.cli.db.history", "every migration, and where the database stands"),
    "migrate": Verb("devctl.cli.db.migrate", "write the migration from the database to the models"),
    "upgrade": Verb("devctl.cli.db.upgrade", "apply what is pending, after a backup"),
    "downgrade": Verb("devctl.cli.db.downgrade", "take migrations back, after a backup"),
    "backup": Verb("devctl.cli.db.backup", "save the database into a dated file"),
    "restore": Verb("devctl.cli.db.restore", "put a backup in the database's place; --list shows them"),
    "reset": Verb("devctl.cli.db.reset", "back up, make anew, migrate, seed"),
    "shell": Verb("devctl.cli.db.shell", "psql or sqlite3, connected"),
    "url": Verb("devctl.cli.db.url", "the database's address, without its password"),
}
"""The verbs behind ``devctl db``."""

CONTINUOUS: dict[str, Verb] = {
    "github": Verb("devctl.cli.ci.github", "write the workflow from the manifest"),
    "check": Verb("devctl.cli.ci.check", "say whether the workflow is current"),
    "checklist": Verb("devctl.cli.ci.checklist", "the checklist before a deployment, ticked where it can be"),
}
"""The verbs behind ``devctl ci``."""
