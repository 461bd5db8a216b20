"""What is so: the state of each service, and the events that change it.

States are supervisord's words, health is Docker's. All times are seconds of the machine's monotonic clock (a clock
that jumps or is set changes nothing); the screen turns them into wall-clock times.
"""

from enum import StrEnum

from devctl.core.model import Value


class State(StrEnum):
    """supervisord's process states, in lower case."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    EXITED = "exited"
    FATAL = "fatal"


class Health(StrEnum):
    """Docker's health words. NONE: the service has no check."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Setup(StrEnum):
    """Whether what a start needs has happened: setup steps of a process, build and create of a container."""

    DONE = "done"
    NEEDED = "needed"
    RUNNING = "running"
    FAILED = "failed"


class StopFor(StrEnum):
    """Why a service is being stopped, which decides what comes after."""

    DOWN = "down"
    RESTART = "restart"
    UNHEALTHY = "unhealthy"
    REPLACE = "replace"


class SchemaVerdict(StrEnum):
    """How the database of a service stands to its models. NONE: nobody waits for that."""

    NONE = "none"
    PENDING = "pending"
    CURRENT = "current"
    BEHIND = "behind"
    UNCHECKED = "unchecked"


class Schema(Value):
    """``reason``: what is missing ("users.api_key_sandbox is missing"), or why it could not be checked; ``hint`` the
    command that mends it, ``words`` the evidence."""

    verdict: SchemaVerdict = SchemaVerdict.NONE
    reason: str = ""
    hint: str = ""
    words: tuple[str, ...] = ()


class ProcessIdentity(Value, tag="process"):
    """A process that can be told from a later one with the same pid.

    ``start`` is the start time in clock ticks since boot (field 22 of /proc/PID/stat; microseconds since the epoch on
    macOS), ``boot`` the machine's boot id. The process leads its session and group, so pid = pgid = sid.
    """

    pid: int
    start: int
    boot: str = ""


class ContainerIdentity(Value, tag="container"):
    """A container by its full id; ``started`` is the Engine's StartedAt of this run."""

    id: str
    started: str = ""


Identity = ProcessIdentity | ContainerIdentity


class ServiceState(Value):
    """All that is known of one service.

    ``run`` counts its starts, so that news of an earlier run can be told apart. ``since`` is when ``state`` was
    entered, ``started_at`` when this run began, ``ready_at`` when this run was first healthy (or, without a check,
    began to run; for a one-shot: completed). ``restarts`` counts unasked restarts since it was last asked for;
    ``failures`` the failed runs in a row. ``reason`` is one plain sentence, ``words`` the last log lines of a failed
    run, ``spec`` the fingerprint of the definition this run was started with, ``stale`` why a running service must be
    started anew ("" when it need not). ``setup_again``: what the running setup began from has changed meanwhile.
    ``schema`` is a health of its own: that of its database.
    """

    name: str
    state: State = State.STOPPED
    health: Health = Health.NONE
    setup: Setup = Setup.DONE
    run: int = 0
    identity: Identity | None = None
    since: float = 0.0
    started_at: float | None = None
    ready_at: float | None = None
    restarts: int = 0
    failures: int = 0
    misses: int = 0
    exit_code: int | None = None
    retry_at: float | None = None
    stop_for: StopFor | None = None
    completed: bool = False
    adopted: bool = False
    reason: str = ""
    hint: str = ""
    words: tuple[str, ...] = ()
    spec: str = ""
    stale: str = ""
    setup_again: bool = False
    schema: Schema = Schema()

    @property
    def active(self) -> bool:
        """Whether something of it may be running."""
        return self.state in {State.STARTING, State.RUNNING, State.STOPPING}

    @property
    def lingers(self) -> bool:
        """Whether it could not be stopped: what is left must go before it starts again."""
        return self.state is State.FATAL and self.identity is not None


class Event(Value, kw_only=True):
    """Something that happened to a service in its run number ``run``."""

    service: str
    run: int = 0


class Asked(Event, tag="asked"):
    """A user asked for it (``up``): earlier failures are forgiven, its setup is looked at again."""

    rerun: bool = False


class SetupStarted(Event, tag="setup_started"):
    """Its setup steps, or the build of its image, have begun."""


class SetupDone(Event, tag="setup_done"):
    """Its setup is current. ``changed`` says what was redone ("" for nothing): a running service must then restart."""

    changed: str = ""


class SetupFailed(Event, tag="setup_failed"):
    """Its setup failed, so it cannot start; or, with no reason, was interrupted because it is no longer wanted."""

    reason: str = ""
    words: tuple[str, ...] = ()
    hint: str = ""


class Starting(Event, tag="starting"):
    """Run ``run`` begins: the start was decided, nothing exists yet."""

    spec: str = ""


class Started(Event, tag="started"):
    """It exists. An external service has no identity: somebody else runs it."""

    identity: Identity | None = None


class StartFailed(Event, tag="start_failed"):
    """It could not be started. ``final``: trying again cannot help (a held port, a missing command)."""

    reason: str
    words: tuple[str, ...] = ()
    hint: str = ""
    final: bool = False


class ProbePassed(Event, tag="probe_passed"):
    """Its health check passed; or, of a service that has none, it has stayed alive for a moment."""


class ProbeFailed(Event, tag="probe_failed"):
    """Its health check failed; ``reason`` is what came instead."""

    reason: str


class Exited(Event, tag="exited"):
    """It ended by itself (or somebody else ended it). ``code`` is None when unknown, negative for a signal."""

    code: int | None
    words: tuple[str, ...] = ()
    note: str = ""


class Stopping(Event, tag="stopping"):
    """It is being stopped."""

    why: StopFor
    reason: str = ""


class Stopped(Event, tag="stopped"):
    """It and its whole tree are gone."""

    code: int | None = None


class StopFailed(Event, tag="stop_failed"):
    """It could not be stopped."""

    reason: str


class Adopted(Event, tag="adopted"):
    """A new supervisor found it alive. An external service has no identity."""

    identity: Identity | None = None


class RestartAsked(Event, tag="restart_asked"):
    """A user asked for it anew (``restart``)."""


class SourcesChanged(Event, tag="sources_changed"):
    """What it is made from changed. ``because``: its own sources did, so its run is outdated; "" when only its setup is
    to be looked at again, since what that depends on may lie anywhere."""

    because: str = ""


class SchemaChecked(Event, tag="schema_checked"):
    """Its database was compared with its models, or could not be. PENDING: it is to be compared again."""

    found: Schema


AnyEvent = (
    Asked
    | SetupStarted
    | SetupDone
    | SetupFailed
    | Starting
    | Started
    | StartFailed
    | ProbePassed
    | ProbeFailed
    | Exited
    | Stopping
    | Stopped
    | StopFailed
    | Adopted
    | RestartAsked
    | SourcesChanged
    | SchemaChecked
)
