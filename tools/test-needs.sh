#!/bin/sh
# Looks after the programs that the tests start. Without a database server nothing is tested, so that one is installed
# (Debian's package is the bare server: no service starts). The others are only unpacked into var/tools; where that
# cannot be done, the tests that need one fail, each with the reason.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin

# has COMMAND...: whether one of them is there
has() { for command in "$@"; do command -v "$command" >/dev/null 2>&1 && return 0; done; return 1; }

# unpacked PACKAGE VARIABLE COMMAND...: one of the commands, or VARIABLE as the path of one, or else the Debian package
unpacked() {
  package=$1 variable=$2
  shift 2
  eval "given=\${$variable:-}"
  [ -n "$given" ] || has "$@" || tools/fetch-debian.sh "$package" ||
    echo "set-up: put $1 on PATH or set $variable to its path, or the tests with it will fail" >&2
}

[ -n "${RECEIVER_TEST_DATABASE_URL:-}" ] || has mariadbd ||
  tools/apt-install.sh mariadb-server-core "for the tests' private MariaDB" \
    "set RECEIVER_TEST_DATABASE_URL to a server whose user may create databases"

# Debian's program for checking a Redis file is the server itself under another name; this package starts no service.
[ -n "${RECEIVER_TEST_REDIS_SERVER:-}" ] || has redis-server redis-check-rdb ||
  tools/apt-install.sh redis-tools "for the tests' private Redis" "set RECEIVER_TEST_REDIS_SERVER to the server's path" ||
  echo "set-up: the tests with a Redis will fail" >&2

# The package of PostgreSQL's server starts a service, so it is only unpacked, with the library that initdb needs.
postgresql() {
  [ -z "${RECEIVER_TEST_POSTGRES:-}" ] && ! has postgres || return 0
  [ -z "$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null)" ] || return 0
  newest=$(apt-cache search --names-only '^postgresql-[0-9]+$' 2>/dev/null | cut -d' ' -f1 | sort -V | tail -n 1)
  [ -n "$newest" ] && tools/fetch-debian.sh "$newest" && tools/fetch-debian.sh libpq5 ||
    echo "set-up: put postgres on PATH or set RECEIVER_TEST_POSTGRES to its path, or the tests with it will fail" >&2
}
postgresql

unpacked prometheus-alertmanager RECEIVER_TEST_ALERTMANAGER alertmanager prometheus-alertmanager
unpacked prometheus RECEIVER_TEST_PROMETHEUS prometheus
unpacked nginx RECEIVER_TEST_NGINX nginx

# Galera is a library for MariaDB; haproxy's package starts a service, so it is only unpacked, with libraries of its own.
galera() {
  [ -n "${RECEIVER_TEST_GALERA:-}" ] || [ -e /usr/lib/galera/libgalera_smm.so ] || tools/fetch-debian.sh galera-4 ||
    echo "set-up: install galera-4 or set RECEIVER_TEST_GALERA to libgalera_smm.so, or the tests with a cluster will fail" >&2
  unpacked haproxy RECEIVER_TEST_HAPROXY haproxy
  [ -d var/tools/haproxy ] || return 0
  libraries=$(apt-cache depends haproxy libopentracing-c-wrapper0 2>/dev/null |
    sed -n 's/^ *Depends: \(liblua[0-9.-]*\|libopentracing[a-z0-9-]*\)$/\1/p' | sort -u)
  for library in $libraries; do
    tools/fetch-debian.sh "$library" ||
      echo "set-up: install $library, or the tests with haproxy will fail" >&2
  done
}
galera
unpacked mariadb-client-core RECEIVER_TEST_MARIADB mariadb mysql
unpacked mariadb-client RECEIVER_TEST_MARIADB_DUMP mariadb-dump mysqldump
