#!/bin/sh
# Installs Debian packages where nobody has to be asked: as root, or with a sudo that wants no password.
#   tools/apt-install.sh PACKAGE PURPOSE [OTHERWISE]
# Elsewhere it says in one line what to install (or what to do otherwise), and fails.
set -eu
package=$1 purpose=$2 otherwise=${3:-}

refuse() { echo "set-up: $purpose, install $package${otherwise:+, or $otherwise}" >&2; exit 1; }

command -v apt-get >/dev/null || refuse
sudo=
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true >/dev/null 2>&1 || refuse
  sudo='sudo -n'
fi
echo "set-up: installing $package $purpose"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# An update may fail for a source that has nothing to do with us; whether the package can be had, the install will say.
$sudo apt-get update -qq >"$log" 2>&1 || :
$sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends "$package" \
  >>"$log" 2>&1 || { tail -n 5 "$log" >&2; refuse; }
