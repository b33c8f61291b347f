#!/usr/bin/env bash
# Asks every query of the dashboard of a real Prometheus that scrapes a real server under bots. Needs Prometheus, redis-server and Python 3.10 or later.
#
#   deploy/grafana/check.sh          checks; SERVER and BOTS (default: target/debug/tickwire-server, tickwire-bot) are the programs
#   deploy/grafana/check.sh --ready  checks nothing; exit code 0 if this machine has what that needs
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
is_ready() { command -v prometheus >/dev/null && command -v redis-server >/dev/null && command -v python3 >/dev/null; }
begin "$@"

folder=$(mktemp -d)
pids=()
finish() {
  kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
fail() { echo "FAILED: $*" >&2; tail -n 5 "$folder"/*.log >&2; exit 1; }
# A port that was free a moment ago.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# What an address answers; empty if it does not.
get() { python3 -c 'import sys, urllib.request as r; print(r.build_opener(r.ProxyHandler({})).open(sys.argv[1], timeout=5).read().decode())' "$1" 2>/dev/null || true; }

redis-server --unixsocket "$folder/redis.sock" --port 0 --save '' --dir "$folder" >"$folder/redis.log" 2>&1 &
pids+=($!)
for _ in $(seq 100); do [ -S "$folder/redis.sock" ] && break; sleep 0.1; done

mkfifo "$folder/ready"
"$SERVER" --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 --npcs 4 --redis "unix://$folder/redis.sock" --data-dir "$folder/data" --record "$folder/recordings" >"$folder/ready" 2>"$folder/server.log" &
pids+=($!)
exec 3<"$folder/ready"
IFS=' ' read -r -t 60 _ _ url _ ops <&3 || fail "the server did not start"

port=$(free_port)
cat >"$folder/prometheus.yml" <<END
global: { scrape_interval: 1s }
scrape_configs:
  - job_name: tickwire
    static_configs: [{ targets: ["${ops#http://}"] }]
END
prometheus --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/tsdb" --web.listen-address="127.0.0.1:$port" >"$folder/prometheus.log" 2>&1 &
pids+=($!)
export PROMETHEUS=http://127.0.0.1:$port PYTHONDONTWRITEBYTECODE=1

"$BOTS" --url "$url" --bots 4 --behaviour flapper --name flapper --duration 10m >"$folder/flappers.log" 2>&1 &
pids+=($!)
"$BOTS" --url "$url" --bots 8 --behaviour duel --latency 20ms --duration 10m >"$folder/bots.log" 2>&1 &
pids+=($!)
# Until the duelling bots' shots have been scraped twice, some seconds apart, so that every rate has something to go on.
shots() { get "$PROMETHEUS/api/v1/query?query=min_over_time(sum(tickwire_shots_total)%5B5s:1s%5D)%3E0" | grep -c '"value"' || true; }
for _ in $(seq 120); do [ "$(shots)" != 0 ] && break; sleep 0.5; done
[ "$(shots)" != 0 ] || fail "Prometheus has no shots of the bots"
python3 "$here/test_dashboard.py"
