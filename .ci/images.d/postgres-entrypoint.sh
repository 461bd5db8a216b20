#!/bin/sh
# The official postgres image's contract: POSTGRES_USER, _PASSWORD, _DB, _INITDB_ARGS, _HOST_AUTH_METHOD, PGDATA,
# /docker-entrypoint-initdb.d. Anything but the server is run as it is.
set -eu

case ${1:-postgres} in
  -*) set -- postgres "$@" ;;
esac
[ "$1" = postgres ] || exec "$@"

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
password=${POSTGRES_PASSWORD:-}
method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  if [ -z "$password" ] && [ "$method" != trust ]; then
    echo "Error: Database is uninitialized and superuser password is not specified." >&2
    echo "       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser." >&2
    exit 1
  fi
  mkdir -p "$PGDATA"
  chown -R postgres:postgres "$PGDATA"
  chmod 700 "$PGDATA"
  secret=$(mktemp)
  printf '%s\n' "${password:-unused}" >"$secret"
  chown postgres "$secret"
  # shellcheck disable=SC2086 # the arguments are words, as in the official image
  as_postgres initdb --no-sync --username="$user" --pwfile="$secret" --auth-host=scram-sha-256 --auth-local=trust \
    ${POSTGRES_INITDB_ARGS:-}
  rm -f "$secret"
  printf 'host all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"

  # No TCP until all is in place: whoever asks from outside sees the finished database or nothing.
  as_postgres pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
  [ "$database" = postgres ] ||
    printf 'CREATE DATABASE :"database";\n' |
    as_postgres psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$user" -d postgres -v database="$database"
  # shellcheck source=/dev/null
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh) . "$file" ;;
      *.sql) as_postgres psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$user" -d "$database" <"$file" ;;
      *.sql.gz) gunzip -c "$file" | as_postgres psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$user" -d "$database" ;;
    esac
  done
  as_postgres pg_ctl -D "$PGDATA" -m fast -w stop
  echo "PostgreSQL init process complete; ready for start up."
fi

shift
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -c 'listen_addresses=*' "$@"
