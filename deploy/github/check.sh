#!/usr/bin/env bash
# Holds the action and the workflow to GitHub's schemas, and runs the action's script against a real server. Needs Python 3.10 or later with venv.
#
#   deploy/github/check.sh          checks; SERVER and BOTS (default: target/debug/tickwire-server, tickwire-bot) are the programs
#   deploy/github/check.sh --ready  checks nothing; exit code 0 if this machine has what that needs
#
# The validator is installed from PyPI, at the versions in requirements.txt, into a virtual environment in the build folder.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
is_ready() { has_python; }
begin "$@"

install_requirements check-jsonschema
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Schemas; and copies with a mistake, which must be noticed.
valid() { "$environment/bin/check-jsonschema" --quiet --builtin-schema "vendor.github-$1" "$2"; }
valid actions "$here/action.yml"
valid workflows "$here/playtest.yml"
sed 's/^      shell: bash$//' "$here/action.yml" >"$folder/action.yml"
! valid actions "$folder/action.yml" >"$folder/log" || fail "a step without its shell was not noticed"
sed 's/runs-on/run-on/' "$here/playtest.yml" >"$folder/playtest.yml"
! valid workflows "$folder/playtest.yml" >"$folder/log" || fail "a job without a machine was not noticed"
# Each input that a step reads is declared, and each that the example gives.
for name in $(grep -oP 'inputs\.\K[a-z-]+' "$here/action.yml"); do
  grep -q "^  $name:$" "$here/action.yml" || fail "the action has no input $name"
done
for name in $(sed -n '/with:/,$s/^          \([a-z-]*\):.*/\1/p' "$here/playtest.yml"); do
  grep -q "^  $name:$" "$here/action.yml" || fail "the action has no input $name"
done

# The script: a good run, a threshold that fails, a server that does not start.
scenario=$here/../../client-bot/scenarios/smoke.toml
play() {
  local expected=$1 code=0
  shift
  "$here/playtest.sh" "$@" >"$folder/log" 2>&1 || code=$?
  [ "$code" -eq "$expected" ] || { cat "$folder/log" >&2; fail "exit code $code instead of $expected: playtest.sh $*"; }
}
export SERVER_FLAGS="--npcs 0"
play 0 "$SERVER" "$BOTS" "$scenario" "$folder/good"
grep -q '"name": "arrive"' "$folder/good/report.json" || fail "the report has no phases"
grep -q 'uPlot' "$folder/good/report.html" || fail "the page has no plots"
play 3 "$SERVER" "$BOTS" "$scenario" "$folder/failed" --fail-if 'bots>=8'
grep -q 'A threshold failed' "$folder/failed/report.html" || fail "the page does not say that a threshold failed"
play 2 "$SERVER" "$BOTS" "$scenario" "$folder/flags" --link 5g
SERVER_FLAGS="--npcs many" play 1 "$SERVER" "$BOTS" "$scenario" "$folder/stopped"
grep -q -- '--npcs' "$folder/log" || fail "nothing says why the server did not start"
echo "action, workflow and script hold"
