#!/usr/bin/env bash
# Holds the unit to systemd-analyze: it is valid, it gives few rights away, and the server has its flags. Needs systemd 250 or later, and no running one.
#
#   deploy/systemd/check.sh          checks; SERVER (default: target/debug/tickwire-server) tells which flags there are
#   deploy/systemd/check.sh --ready  checks nothing; exit code 0 if this machine has what that needs
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
is_ready() { command -v systemd-analyze >/dev/null && [ "$(systemd-analyze --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')" -ge 250 ]; }
begin "$@"
SERVER=$(realpath "$SERVER")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The program must exist where the unit says.
sed "s#/usr/local/bin/tickwire-server#$SERVER#" "$here/tickwire.service" >"$folder/tickwire.service"
# Unknown settings and values are only warnings to systemd: here they are errors.
warnings=$(systemd-analyze verify "$folder/tickwire.service" 2>&1) || fail "$warnings"
[ -z "$warnings" ] || fail "$warnings"
sed 's/^ProtectHome=/ProtectHouse=/' "$folder/tickwire.service" >"$folder/wrong.service"
[ -n "$(systemd-analyze verify "$folder/wrong.service" 2>&1)" ] || fail "an unknown setting was not noticed"
# 0 to 10; 1.2 with systemd 252.
systemd-analyze security --offline=true --threshold=20 --no-pager "$folder/tickwire.service" | tail -n 1

help=$("$SERVER" --help)
for flag in $(sed -n 's/^ExecStart=//p' "$here/tickwire.service" | grep -oE -- '--[a-z-]+'); do
  grep -q -- "$flag" <<<"$help" || fail "the server has no $flag"
done
