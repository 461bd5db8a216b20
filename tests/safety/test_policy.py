"""What is a developer's own database, by address and by name. Refusing too little is a catastrophe."""

from __future__ import annotations

import pytest

from devctl.safety.policy import Kind, Listener, drop_switch, judge, refused, serious
from devctl.safety.url import parse

POSTGRES = Listener(Kind.PROCESS, "/usr/lib/postgresql/15/bin/postgres", "postgres (pid 7)")
OURS = Listener(Kind.OURS, "postgres", "service postgres")
CONTAINER = Listener(Kind.CONTAINER, "controlcore-postgres-1", "container controlcore-postgres-1")
SSH = Listener(Kind.PROCESS, "ssh", "ssh (pid 9, `ssh -L 5432:db:5432 bastion`)")


@pytest.mark.parametrize(
    "listener", [POSTGRES, OURS, CONTAINER, Listener(Kind.HIDDEN, "postgres", "the user postgres")]
)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "LOCALHOST", "db.localhost"])
def test_a_server_seen_on_this_machine_is_local(host: str, listener: Listener) -> None:
    assert judge(parse(f"postgresql://cc:cc@{host}/controlcore"), listener).local


@pytest.mark.parametrize("where", ["postgresql:///app", "postgresql:///app?host=/var/run/postgresql"])
def test_a_unix_socket_is_local(where: str) -> None:
    assert judge(parse(where)).local


@pytest.mark.parametrize("name", ["app", "app_dev"])
def test_a_socket_of_a_proxy_is_not_local_whatever_the_name(name: str) -> None:
    for folder in ("/cloudsql/shop:europe-west1:db", "/home/me/sockets/shop:europe-west1:db", "/cloudsql/x"):
        assert not judge(parse(f"postgresql:///{name}?host={folder}")).local
    assert not judge(parse(f"postgresql:///{name}?host=/run/pg"), SSH).local
    assert judge(parse(f"postgresql:///{name}?host=/run/pg"), POSTGRES).local


@pytest.mark.parametrize(
    ("image", "local"),
    [
        ("postgres:16-alpine", True), ("public.ecr.aws/docker/library/postgres:16", True), ("proxy.corp:5000/pg", True),
        ("alpine/socat", False), ("gcr.io/x/cloud-sql-proxy:2.1@sha256:0", False), ("haproxy", False),
    ],
)  # fmt: skip
def test_a_container_is_judged_by_its_image_too(image: str, local: bool) -> None:
    seen = Listener(Kind.CONTAINER, "db", "container db", image)
    assert judge(parse("postgresql://localhost/app"), seen).local is local


@pytest.mark.parametrize(
    "where",
    [
        "postgresql://db.example.com/app_dev",
        "postgresql://10.0.0.4/app_dev",
        "postgresql://localhost.example.com/app_dev",
        "postgresql://127.0.0.1.nip.io/app_dev",
        "postgresql://127.0.0.999/app_dev",
        "postgresql://0.0.0.0/app_dev",
        "postgresql://postgres/app_dev",
        "postgresql://localhost/app_dev?host=db.example.com",
        "postgresql://localhost/app_dev?hostaddr=10.0.0.4",
        "postgresql://localhost/app_dev?service=elsewhere",
        "postgresql:///app_dev?host=localhost&host=db.example.com",
        "postgresql:///app_dev?host=localhost,localhost",
        "postgresql://[::ffff:10.0.0.4]/app_dev",
    ],
)
def test_another_machine_is_not_local_whatever_the_name(where: str) -> None:
    standing = judge(parse(where), OURS)
    assert not standing.local
    assert standing.reason
    assert standing.hint


@pytest.mark.parametrize("program", ["ssh", "/usr/bin/ssh", "kubectl", "cloud-sql-proxy", "pgbouncer", "socat"])
@pytest.mark.parametrize("kind", [Kind.PROCESS, Kind.OURS])
def test_a_tunnel_on_localhost_is_not_local_even_with_a_name_for_development(program: str, kind: Kind) -> None:
    standing = judge(parse("postgresql://localhost/app_dev"), Listener(kind, program, "it"))
    assert not standing.local
    assert "leads to another machine" in standing.reason


@pytest.mark.parametrize(
    "listener",
    [
        None,
        Listener(Kind.PROCESS, "python3", "python3 (pid 8)"),
        Listener(Kind.HIDDEN, "root", "a process of root"),
        Listener(Kind.HIDDEN, "", "a process that cannot be seen"),
        Listener(Kind.CONTAINER, "cloud-sql-proxy-1", "container cloud-sql-proxy-1"),
    ],
)
def test_one_that_cannot_be_seen_to_be_a_server_needs_a_name_for_development(listener: Listener | None) -> None:
    assert not judge(parse("postgresql://localhost/controlcore"), listener).local
    assert judge(parse("postgresql://localhost/controlcore_test"), listener).local is (listener is not None)


def test_where_nobody_listens_there_is_nothing_to_harm() -> None:
    assert judge(parse("postgresql://localhost/controlcore"), Listener(Kind.NOBODY)).local


@pytest.mark.parametrize(
    "where",
    [
        "postgresql://cc@localhost/controlcore_prod",
        "postgresql://cc@localhost/production",
        "postgresql://cc@localhost/ControlCoreProd",
        "postgresql://cc@localhost/prod2",
        "postgresql://cc@localhost/PRODdb",
        "postgresql://cc@localhost/ccprod",
        "postgresql://cc@localhost/live",
        "postgresql://cc@localhost/shop-live",
        "postgresql://cc@localhost/applive",
        "postgresql://cc@localhost/app_staging",
        "postgresql://cc@localhost/dev_of_prod",
        "postgresql://cc@localhost/test-preprod",
        "postgresql://prod_user@localhost/app_dev",
        "postgresql://cc@prod.localhost/app_dev",
        "postgresql:///prod?host=/run/pg",
        "sqlite:////srv/production/app.db",
        "sqlite:////work/shop/prod.db",
    ],
)
def test_a_name_that_people_depend_on_is_never_local_even_on_localhost(where: str) -> None:
    for listener in (POSTGRES, OURS, CONTAINER, Listener(Kind.NOBODY)):
        standing = judge(parse(where), listener, root="/work/shop")
        assert not standing.local, where
        assert "never a developer's own" in standing.reason


@pytest.mark.parametrize(
    "name",
    ["products", "product_dev", "producer", "prodigy", "delivery", "olive", "alive", "backstage", "app", "lived"],
)
def test_words_that_only_look_like_it_are_fine(name: str) -> None:
    assert serious(name) == ""
    assert judge(parse(f"postgresql://cc@localhost/{name}"), OURS).local


def test_folders_above_the_workspace_say_nothing_about_a_file_in_it() -> None:
    assert judge(parse("sqlite:////home/me/production-tools/shop/dev.db"), root="/home/me/production-tools/shop").local
    assert not judge(
        parse("sqlite:////home/me/production-tools/shop2/dev.db"), root="/home/me/production-tools/shop"
    ).local


def test_the_old_switch_is_named_in_the_refusal_and_changes_nothing() -> None:
    url = parse("postgresql://cc:secret@db.example.com/app")
    standing = judge(url)
    for value in ("true", "1", "TRUE", "yes"):
        switch = drop_switch({"CC_DROP_TABLES": value})
        assert f"CC_DROP_TABLES={value}" in refused("reset", url, standing, switch)[1]
    assert drop_switch({"CC_DROP_TABLES": "false"}) == drop_switch({}) == ""
    assert refused("reset", url, standing) == (
        "devctl will not reset db.example.com/app",
        "db.example.com is not this machine; no option turns this off",
    )
