"""Migrates the database and adds the first rows. It waits for nothing and may be run again at any time.

What exists stays as it is: an administrator who changed the password keeps it, a policy switched off stays off.
"""

from __future__ import annotations

import sys

from app.database import engine
from app.models import Policy, User
from app.security import hash_password, new_api_key
from app.settings import ADMIN_PASSWORD
from schema import UnknownSchemaError, migrate
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

POLICIES = [
    Policy(
        name="Payroll stays closed",
        description="Nobody reaches payroll through the bouncer.",
        position=10, effect="deny", path="/payroll*",
    ),
    Policy(
        name="Front page is public",
        description="Anybody may look at the demo application's front page.",
        position=20, effect="allow", methods="GET,HEAD", path="/",
    ),
    Policy(
        name="Public files",
        description="Whatever lies under /public needs no key.",
        position=30, effect="allow", methods="GET,HEAD", path="/public/*",
    ),
    Policy(
        name="Reports for known callers",
        description="Reports open with any valid API key, sandbox or production.",
        position=40, effect="allow", methods="GET", path="/reports*", needs_key=True,
    ),
    Policy(
        name="Writing orders",
        description="Drafted: orders may be placed with a key.",
        position=50, effect="allow", methods="POST,PUT", path="/orders*", needs_key=True, enabled=False,
    ),
]  # fmt: skip


def seed(session: Session) -> list[str]:
    """Adds what is missing and says what that was."""
    added = []
    if not session.scalar(select(User).where(User.username == "admin")):
        session.add(
            User(
                username="admin",
                role="admin",
                password_hash=hash_password(ADMIN_PASSWORD),
                api_key_sandbox=new_api_key("sandbox"),
                api_key_production=new_api_key("production"),
            )
        )
        added.append("user admin")
    present = set(session.scalars(select(Policy.name)))
    for policy in POLICIES:
        if policy.name not in present:
            session.add(policy)
            added.append(f"policy '{policy.name}'")
    session.commit()
    return added


def main() -> int:
    try:
        migrate(engine)
        with Session(engine) as session:
            added = seed(session)
    except OperationalError as error:
        print(f"init_db: the database does not answer: {error.orig}", file=sys.stderr)
        return 1
    except UnknownSchemaError as error:
        print(f"init_db: nothing was changed, the tables are none of ours: {error}", file=sys.stderr)
        return 1
    print("init_db: tables are there; " + (f"added {', '.join(added)}" if added else "nothing to add"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
