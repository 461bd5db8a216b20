#!/bin/sh
# The official redis image's contract: options or a .conf file alone mean the server; the server runs as redis in /data
# and answers other containers. Anything else is run as it is.
set -eu

case ${1:-redis-server} in
  -* | *.conf) set -- redis-server "$@" ;;
esac
[ "$1" = redis-server ] || exec "$@"
shift

# A configuration file has to come first.
config=
case ${1:-} in
  '' | -*) ;;
  *) config=$1; shift ;;
esac
chown redis:redis /data
exec setpriv --reuid=redis --regid=redis --init-groups \
  redis-server ${config:+"$config"} --bind '*' '-::*' --protected-mode no "$@"
