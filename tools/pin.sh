#!/bin/sh
# Writes constraints.txt anew, from the latest releases that setup.cfg allows. A new setuptools goes into pyproject.toml
# by hand (a test compares both). Read the changelogs, run the tests, then commit.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/python -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check \
  --upgrade --upgrade-strategy eager -e '.[dev]'
{
  echo "# Exact versions of everything that ships or checks, direct and indirect. Written by tools/pin.sh."
  "$folder/venv/bin/python" -m pip freeze --disable-pip-version-check --all --exclude-editable --exclude pip
} >"$folder/constraints.txt"
mv "$folder/constraints.txt" constraints.txt
