#!/bin/sh
# Makes .venv ready: a Python of 3.11 or later, this checkout in editable form, its dependencies as pinned in constraints.txt.
#   tools/setup.sh        what `make run` needs
#   tools/setup.sh dev    also what the checks and the tests need
# A stamp in .venv tells what was installed there; while it is right, this takes a few hundredths of a second.
set -eu
cd "$(dirname "$0")/.."
extra=${1:-}
venv=.venv
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

die() { echo "set-up: $*" >&2; exit 1; }

# The place is part of the stamp: the scripts in .venv/bin hold absolute paths, so a checkout that was moved is set up anew.
stamp() { { echo "$1"; pwd -P; cat setup.cfg pyproject.toml constraints.txt tools/setup.sh; } | cksum; }

is_ready() {
  "$venv/bin/python" -c pass 2>/dev/null || return 1
  for done in "$extra" dev; do
    [ "$(cat "$venv/.stamp-$done" 2>/dev/null)" != "$(stamp "$done")" ] || return 0
  done
  return 1
}

find_python() {
  for python in python3.13 python3.12 python3.11 python3; do
    # Run it rather than look for it: version managers leave commands on PATH that only say "not here".
    "$python" -c "$new_enough" >/dev/null 2>&1 && return 0
  done
  die "Python 3.11 or later is needed, and none is on PATH (python3.13, 3.12, 3.11, python3): install one"
}

# Debian and Ubuntu ship Python without the parts that `venv` needs.
add_venv_module() {
  "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 && return 0
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  tools/apt-install.sh "python$version-venv" "to make $venv"
}

make_venv() {
  "$venv/bin/python" -c "$new_enough" 2>/dev/null && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && return 0
  find_python
  add_venv_module
  echo "set-up: making $venv with $("$python" -V)"
  "$python" -m venv --clear "$venv"
}

install() {
  echo "set-up: installing the pinned dependencies into $venv"
  log=$venv/setup.log
  "$venv/bin/python" -m pip install --disable-pip-version-check -c constraints.txt -e ".${extra:+[$extra]}" >"$log" 2>&1 ||
    { tail -n 15 "$log" >&2; die "pip could not install the dependencies; all it said is in $log"; }
}

is_ready && exit 0
make_venv
rm -f "$venv"/.stamp-*
install
[ "$extra" != dev ] || ln -sf ../../tools/receiver-bench "$venv/bin/receiver-bench"
stamp "$extra" >"$venv/.stamp-$extra"
