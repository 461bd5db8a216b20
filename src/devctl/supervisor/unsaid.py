"""What the journal leaves out: a database's password that was written out in the manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from devctl.core.history import Known, Record, Standing
from devctl.core.model import Service

UNSAID = "…"
"""Stands in an address for its password. Whoever says ``up`` next brings the password again."""
_PASSWORDS = (
    re.compile(r"(://[^/\s:@]*:)(?!\$\{)[^\s@]+(?=@)"),
    re.compile(r"([?&](?:ssl)?password=)(?!\$\{)[^&\s}]+"),
)


def without_passwords(record: Record) -> Record:
    """The record as it may be written down."""
    match record:
        case Known():
            services = _services(record.manifest.services)
            return Known(manifest=msgspec.structs.replace(record.manifest, services=services))
        case Standing():
            return Standing(states=record.states, retired=_services(record.retired))
    return record


def is_unsaid(service: Service) -> bool:
    """Whether its database's address was read back from the journal, without its password."""
    return service.database is not None and UNSAID in service.database.url


def _services(services: Mapping[str, Service]) -> dict[str, Service]:
    return {name: _service(service) for name, service in services.items()}


def _service(service: Service) -> Service:
    if service.database is None:
        return service
    url = service.database.url
    for pattern in _PASSWORDS:
        url = pattern.sub(rf"\1{UNSAID}", url)
    if url == service.database.url:
        return service
    return msgspec.structs.replace(service, database=msgspec.structs.replace(service.database, url=url))
