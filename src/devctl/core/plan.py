"""What to do next and what must wait, as values. ``str(plan)`` is what golden tests compare."""

from devctl.core.model import Value
from devctl.core.state import StopFor


class Prepare(Value, tag="prepare"):
    """Run its stale setup steps, or build and create its container."""

    service: str
    because: str

    def __str__(self) -> str:
        return f"prepare {self.service}: {self.because}"


class Start(Value, tag="start"):
    """Start it now."""

    service: str
    because: str

    def __str__(self) -> str:
        return f"start {self.service}: {self.because}"


class Stop(Value, tag="stop"):
    """Stop it and everything it left behind."""

    service: str
    why: StopFor
    because: str

    def __str__(self) -> str:
        return f"stop {self.service}: {self.because}"


Action = Prepare | Start | Stop


class Hold(Value):
    """Why something is not done yet: one sentence, the services it waits for, and until when (monotonic seconds)."""

    service: str
    reason: str
    on: tuple[str, ...] = ()
    until: float | None = None

    def __str__(self) -> str:
        return f"hold {self.service}: {self.reason}"


class Plan(Value):
    """Actions ready now, holds, and when to look again though nothing happened (monotonic seconds)."""

    actions: tuple[Action, ...] = ()
    holds: tuple[Hold, ...] = ()
    wake_at: float | None = None

    def __str__(self) -> str:
        return "\n".join(str(line) for line in (*self.actions, *self.holds))
