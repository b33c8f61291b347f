#!/usr/bin/env bash
# Installs web/'s pinned npm packages, unless they are there: the compiler and the bundler of the SDK and of pages, and the browser tests'
# driver.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v npm >/dev/null || {
  echo "web/install.sh: no npm: install Node 18 or later" >&2
  exit 1
}
if ! cmp -s package-lock.json node_modules/.tickwire-lock; then
  npm ci --ignore-scripts --no-progress
  cp package-lock.json node_modules/.tickwire-lock
fi
