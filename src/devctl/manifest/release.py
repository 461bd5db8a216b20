"""The grammar of what a service's database and its way to production need."""

import re
from typing import Annotated, Any

from devctl.manifest.forms import TEXT, Command, Free, Statuses, Variables, Word, Words, one_of
from devctl.manifest.group import Group, field
from devctl.manifest.parsers import Wrong
from devctl.manifest.shapes import Short


class Database(Group):
    """What `devctl db` and `devctl predeploy` need to know of a service's database."""

    url: Word = field(
        description="Its address. `${VAR}` is filled in only when it is used, so that no password is written down.",
        examples=["${DATABASE_URL:-postgresql://app:app@localhost:5432/app}"],
    )
    models: Word = field(
        "",
        description="MODULE:NAME of a declarative base or a MetaData, imported with the service's own python.",
        examples=["app.models:Base"],
    )
    migrations: Word = field("", description="Alembic's script folder, relative to the service's `path`.")
    seed: Word = field("", description="A command that fills a fresh database.", examples=["python seed.py"])
    hold: Annotated[str, one_of("none", "schema")] = field(
        "none", description="`schema`: dependents wait while the schema is behind its models."
    )

    def checked(self) -> None:
        """As Group."""
        if self.models and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", self.models):
            raise Wrong(f"models: “{self.models}” is no MODULE:NAME", "write app.models:Base")
        if self.hold == "schema" and not self.models:
            raise Wrong("hold: schema needs models to compare with", "add models: MODULE:NAME")


class RequiredEnvironment(Group):
    """What must be so of the environment."""

    required: Variables = field((), description="Variables that must be set.", examples=[["SECRET_KEY"]])
    not_: dict[str, Words] = field(
        {},
        alias="not",
        description="Values that may not go to production, by variable.",
        examples=[{"SECRET_KEY": ["dev", "changeme"]}],
    )


class LoginRequest(Group):
    """An HTTP request."""

    method: Annotated[str, one_of("GET", "POST", "PUT", "PATCH")] = field("POST", description="The request's method.")
    url: Word = field(description="Its URL; a path alone is relative to the service's URL.", examples=["/auth/login"])
    headers: dict[str, Word] = field({}, description="Headers beside the usual ones.")
    json_: Free = field(
        None,
        alias="json",
        description="The JSON body.",
        examples=[{"username": "admin", "password": "${ADMIN_PASSWORD}"}],
    )
    form: dict[str, Word] = field({}, description="The fields of a form, instead of `json`.")


class Login(Group):
    """A login that must work."""

    request: LoginRequest = field(description="The request that logs in.")
    status: Statuses = field(((200, 299),), description="The statuses that count as logged in.", examples=[200])


def _check(value: Any) -> Any:
    return {"command": value} if isinstance(value, str) else value


class Check(Group):
    """A command that must end with 0."""

    command: Command = field(description="What is run, in the service's folder.", examples=["ruff check"])
    name: Word = field("", description="What the check is called; the command when left out.")
    level: Annotated[str, one_of("required", "warning")] = field(
        "required", description="Whether a failure stops the deployment or is only shown."
    )


class Predeploy(Group):
    """More checks before production, beside those every service gets. `${VAR}` is filled in when they run."""

    environment: RequiredEnvironment | None = field(None, description="What must be so of the environment.")
    login: Login | None = field(None, description="A login that must work.")
    commands: list[Annotated[Check, Short(_check, TEXT)]] = field([], description="Commands that must end with 0.")
