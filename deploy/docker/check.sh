#!/usr/bin/env bash
# Lints the Dockerfile with hadolint, holds compose.yaml to the Compose specification's schema and to the files and flags that it names. Where a
# Docker daemon answers, builds the image and runs it. Needs Python 3.10 or later with venv.
#
#   deploy/docker/check.sh          checks; SERVER (default: target/debug/tickwire-server) tells which flags there are
#   deploy/docker/check.sh --ready  checks nothing; exit code 0 if this machine has what that needs
#
# The linters are installed from PyPI, at the versions in requirements.txt, into a virtual environment in the build folder.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
is_ready() { has_python; }
begin "$@"

install_requirements docker-lint
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

hadolint() { "$environment/bin/hadolint" --no-color --failure-threshold style "$@"; }
hadolint "$here/Dockerfile"
sed 's/^WORKDIR .*/WORKDIR source/' "$here/Dockerfile" >"$folder/Dockerfile"
! hadolint "$folder/Dockerfile" >/dev/null || fail "a mistake in the Dockerfile was not noticed"

compose() { "$environment/bin/check-jsonschema" --quiet --builtin-schema vendor.compose-spec "$1"; }
compose "$here/compose.yaml"
sed 's/stop_grace_period/stop_graze_period/' "$here/compose.yaml" >"$folder/compose.yaml"
! compose "$folder/compose.yaml" >/dev/null || fail "a mistake in compose.yaml was not noticed"
for path in $(sed -nE 's/^ *- (\.[^:]*):.*/\1/p; s/^ *(context|dockerfile): (.*)/\2/p' "$here/compose.yaml"); do
  [ -e "$here/$path" ] || [ -e "$root/$path" ] || fail "compose.yaml names $path, which is not there"
done
if command -v promtool >/dev/null; then
  sed "s#- tickwire.rules.yml#- $here/../prometheus/tickwire.rules.yml#; /credentials_file/d; /authorization:/d" "$here/prometheus.yml" >"$folder/prometheus.yml"
  promtool check config "$folder/prometheus.yml" >"$folder/log" 2>&1 || { cat "$folder/log"; fail "prometheus.yml"; }
fi
help=$("$SERVER" --help)
for flag in $(cat "$here/Dockerfile" "$here/compose.yaml" | grep -v '^ *#' | grep -oE '"--[a-z-]+"' | tr -d '"' | sort -u); do
  grep -qE -- "$flag( |$)" <<<"$help" || fail "the server has no $flag"
done
for variable in $(grep -ohE 'TICKWIRE_[A-Z_]+' "$here/Dockerfile" "$here/compose.yaml" | sort -u | grep -v RULES_REQUIRED); do
  grep -qF "[env: $variable" <<<"$help" || fail "the server reads no $variable"
done

if docker info >/dev/null 2>&1; then
  docker build --quiet -f "$here/Dockerfile" -t tickwire-check "$root"
  container=$(docker run --detach --read-only --cap-drop ALL --tmpfs /data:uid=65532 tickwire-check)
  trap 'docker rm --force "$container" >/dev/null; rm -rf "$folder"' EXIT
  for _ in $(seq 60); do
    [ "$(docker inspect --format '{{.State.Health.Status}}' "$container")" != healthy ] || break
    sleep 1
  done
  [ "$(docker inspect --format '{{.State.Health.Status}}' "$container")" = healthy ] || fail "the container is not healthy"
  docker stop "$container" >/dev/null
  [ "$(docker inspect --format '{{.State.ExitCode}}' "$container")" = 0 ] || fail "the container did not end well"
else
  echo "no Docker daemon answers here: the image was linted, and not built"
fi
