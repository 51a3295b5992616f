#!/bin/sh
# Unpacks a Debian package into var/tools/PACKAGE, without root and without installing or starting anything.
#   tools/fetch-debian.sh PACKAGE
# Its programs look for their files below the working directory's usr/ (a symbolic link there does).
set -eu
cd "$(dirname "$0")/.."
package=$1
folder=var/tools/$package
[ ! -d "$folder" ] || exit 0

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "set-up: $package can be fetched on Debian and Ubuntu only" >&2
  exit 1
fi
mkdir -p var/tools
part=$(mktemp -d "$PWD/var/tools/part.XXXXXX")
trap 'rm -rf "$part"' EXIT
log=$part/log
chmod 755 "$part"  # apt's own user writes here where it can
download() { (cd "$part" && apt-get download -qq "$package" >"$log" 2>&1); }
# Package lists that are missing or old know no such package, or one that the mirror no longer has.
download || { [ "$(id -u)" -ne 0 ] || apt-get update -qq >/dev/null 2>&1; download; } || {
  echo "set-up: apt-get could not fetch $package: $(tail -n 1 "$log")" >&2; exit 1
}
dpkg-deb -x "$part"/*.deb "$part/root"
# Debian's builds of the Prometheus family know the folder of their templates by its absolute path. In these copies the
# path becomes a relative one of the same length, so that nothing else in the program moves.
for program in "$part"/root/usr/bin/*prometheus*; do
  [ ! -f "$program" ] || LC_ALL=C sed -i 's|/usr/share/prometheus/|usr/share//prometheus/|g' "$program"
done
mv "$part/root" "$folder"
