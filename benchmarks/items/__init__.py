"""What is measured, one module a kind of work."""

from __future__ import annotations

from items.base import Item
from items.commands import Commands
from items.down import Down
from items.edges import Edges
from items.idle import Idle
from items.many import Many
from items.output import Output
from items.own import Own
from items.ready import Ready
from items.recovery import Recovery
from items.stack import Stack

ALL: tuple[Item, ...] = (
    Ready(), Many(), Edges(), Stack(), Recovery(), Idle(), Output(), Down(), Commands(), Own(),
)  # fmt: skip
