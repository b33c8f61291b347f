#!/usr/bin/env bash
# Plays a game with bots: starts its server on free ports, runs a scenario, ends the server, and leaves report.json and report.html in a folder.
#
#   playtest.sh SERVER BOTS SCENARIO FOLDER [FLAG...]
#
# SERVER and BOTS are programs (the game's own, and `tickwire-bot` or the game's own bots); further flags go to the bots. Exit code: that of the
# bots (0 good, 1 no connection, mismatch or protocol error, 2 wrong flags or scenario, 3 a threshold failed), or 1 if the server does not start
# or does not end well. SERVER_FLAGS: flags of the server, separated by spaces.
set -euo pipefail
[ $# -ge 4 ] || { sed -n 's/^#   //p' "$0" >&2; exit 2; }
server=$1 bots=$2 scenario=$3 folder=$4
shift 4
mkdir -p "$folder"

read -ra server_flags <<<"${SERVER_FLAGS:-}"
mkfifo "$folder/ready"
"$server" --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 ${server_flags[@]+"${server_flags[@]}"} >"$folder/ready" 2>"$folder/server.log" &
pid=$!
# Whatever happens, the server ends with this script.
trap 'kill "$pid" 2>/dev/null || true; rm -f "$folder/ready"' EXIT

# The one line on its standard output; nothing at all if it has ended instead.
exec 3<"$folder/ready"
if ! IFS=' ' read -r -t 60 _ _ url _ <&3 || [ -z "$url" ]; then
  echo "the server did not start:" >&2
  tail -n 20 "$folder/server.log" >&2
  exit 1
fi

code=0
"$bots" --url "$url" --scenario "$scenario" --report "$folder/report.json" --report-html "$folder/report.html" "$@" || code=$?

kill -TERM "$pid" 2>/dev/null || true
if ! wait "$pid"; then
  echo "the server did not end well:" >&2
  tail -n 20 "$folder/server.log" >&2
  [ "$code" -ne 0 ] || code=1
fi
trap - EXIT
rm -f "$folder/ready"
exit "$code"
