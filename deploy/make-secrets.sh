#!/bin/sh
# Makes the secrets that docker-compose.yml mounts: random ones, each only where there is none yet. Never overwrites.
#   deploy/make-secrets.sh [FOLDER]      FOLDER: deploy/secrets beside this script, if not given
# Run it again whenever you like, for example after an upgrade that needs one more. Prints names, never a secret.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}

die() { echo "make-secrets: $*" >&2; exit 1; }

# 256 bits as hex: nothing in it needs quoting in a URL, a shell or a YAML file.
random() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# write NAME < value. Complete or not there at all: written beside it, then linked, which fails where NAME exists already.
write() {
  [ ! -e "$folder/$1" ] || { cat >/dev/null; return 0; }
  cat >"$part"
  # Readable for the containers' users, who are not you; the folder is closed to everyone else (see secrets/README.md).
  chmod 644 "$part"
  ln "$part" "$folder/$1" 2>/dev/null || [ -e "$folder/$1" ] || die "cannot write $folder/$1"
  rm -f "$part"
  echo "made $folder/$1"
}

mkdir -p "$folder"
chmod 700 "$folder"
part=$folder/.part.$$
trap 'rm -f "$part"' EXIT

[ -e "$folder/mysql_password" ] || [ ! -e "$folder/database_url" ] ||
  die "$folder/database_url is there but mysql_password is not: put the URL's password there, or remove database_url"

random | write mysql_password
random | write mysql_root_password
random | write webhook_token
printf 'admin:admin:%s' "$(random)" | write api_tokens
random | write grafana_admin_password
: | write slack_webhook_url

if [ ! -e "$folder/database_url" ]; then
  password=$(cat "$folder/mysql_password")
  case $password in
  '') die "$folder/mysql_password is empty" ;;
  *[!A-Za-z0-9._~-]*) die "$folder/mysql_password holds characters that mean something in a URL: write $folder/database_url yourself" ;;
  esac
  printf 'mysql+pymysql://receiver:%s@mysql:3306/receiver?charset=utf8mb4' "$password" | write database_url
fi
[ -s "$folder/slack_webhook_url" ] || echo "no Slack yet: put the incoming webhook's address into $folder/slack_webhook_url"
