#!/bin/sh
# Short runs over real sockets, with the lines emulated inside the bots: the figures to hold beside `--bin netcode`.
# Usage: games/arena/benches/lines.sh [SECONDS]; needs a release build: cargo build --release -p tickwire-server -p tickwire-bot
set -eu
cd "$(dirname "$0")/../../.."
seconds=${1:-20}
bin=${CARGO_TARGET_DIR:-target}/release
scratch=$(mktemp -d)
"$bin/tickwire-server" --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 --npcs 0 --world-seed 0 >"$scratch/ready" 2>"$scratch/log" &
server=$!
trap 'kill $server; rm -r "$scratch"' EXIT
until grep -q ready "$scratch/ready"; do
    kill -0 $server
    sleep 0.1
done
url=$(sed 's/tickwire ready \([^ ]*\).*/\1/' "$scratch/ready")

# Name of the room, then the line.
run() {
    room=$1
    shift
    echo "== $*"
    "$bin/tickwire-bot" --url "$url" --room "$room" --bots 32 --behaviour duel --duration "${seconds}s" "$@" \
        >"$scratch/out" 2>&1 || true
    grep -E '^(snapshot gap|input to ack|interpolation|view checks|shots|prediction)' "$scratch/out"
}

run none --latency 0ms
run near --latency 40ms --jitter 5ms
run far --latency 100ms --jitter 20ms
run limit --latency 120ms
run stalls --latency 40ms --stall 0.33
run forgers --latency 40ms --jitter 5ms --forge-view 250ms
