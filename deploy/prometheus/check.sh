#!/usr/bin/env bash
# Holds the configuration and the alerts to promtool, each alert to a test in which it fires and one in which it does not, to a section of the
# runbook, and to metrics that there are; and the metrics of a live server to promtool's rules for names. Needs Prometheus 2.42 or later.
#
#   deploy/prometheus/check.sh          checks; SERVER (default: target/debug/tickwire-server) is the live server
#   deploy/prometheus/check.sh --ready  checks nothing; exit code 0 if this machine has what that needs
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
is_ready() { command -v promtool >/dev/null; }
begin "$@"

cd "$here"
promtool check config --lint=all prometheus.yml
promtool test rules tickwire.rules.test.yml
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT

for alert in $(sed -n 's/^ *- alert: //p' tickwire.rules.yml); do
  grep -q "^  # $alert fires$" tickwire.rules.test.yml || fail "no test fires $alert"
  grep -q "^          - labels: 'ALERTS{alertname=\"$alert\"," tickwire.rules.test.yml || fail "the test of $alert expects nothing"
  grep -q "^  # $alert is quiet$" tickwire.rules.test.yml || fail "no test has $alert quiet"
  grep -q "^#### $alert$" "$root/docs/OPERATIONS.md" || fail "docs/OPERATIONS.md has no section $alert"
  grep -q "docs/OPERATIONS.md#${alert,,}$" tickwire.rules.yml || fail "$alert leads to no section"
done

# A live server with all that can be switched on here. One line on its standard output has the address.
mkfifo "$folder/ready"
"$SERVER" --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 --data-dir "$folder/data" >"$folder/ready" 2>"$folder/log" &
pid=$!
exec 3<"$folder/ready"
IFS=' ' read -r -t 60 _ _ _ _ ops <&3 || { cat "$folder/log" >&2; fail "the server did not start"; }
address=${ops#http://}
exec 4<>"/dev/tcp/${address%:*}/${address##*:}"
printf 'GET /metrics HTTP/1.0\r\nHost: %s\r\n\r\n' "$address" >&4
sed '1,/^\r$/d' <&4 >"$folder/metrics"
promtool check metrics <"$folder/metrics"
grep -q '^tickwire_ready 1$' "$folder/metrics" || fail "the server is not ready, or does not say so"

# Every metric of the rules: on the live server, or in the sources of what is not switched on here (a cluster, recordings).
for name in $(grep -v '^ *#' tickwire.rules.yml | grep -oE '\b(tickwire|process)_[a-z_]+' | sort -u); do
  base=${name%_bucket}
  grep -qE "^# TYPE $base " "$folder/metrics" && continue
  case $base in
    tickwire_cluster_* | tickwire_rooms_moved_total) grep -rqF "\"$base\"" "$root/server/src/cluster" || fail "no server has $base" ;;
    tickwire_recording_*) ;;
    *) fail "the server has no $base" ;;
  esac
done
echo "$(grep -c 'alert: ' tickwire.rules.yml) alerts hold"
