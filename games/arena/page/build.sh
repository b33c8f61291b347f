#!/usr/bin/env bash
# Builds the page into dist, which is committed, and embedded in the arena's server.
#
#   games/arena/page/build.sh            builds dist
#   games/arena/page/build.sh --check    fails if dist differs from a fresh build
#
# Needs Node 18 or later with npm; the compiler and the bundler are web/'s. No WebAssembly is built: the SDK in web/dist is.
set -euo pipefail
page=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
web=$(cd "$page/../../../web" && pwd)
case ${1:-} in
  "" | --check) ;;
  *)
    echo "games/arena/page/build.sh: unknown option $1" >&2
    exit 1
    ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/dist"
"$web/install.sh"
cd "$page"
"$web/node_modules/.bin/tsc" -p .
node bundle.mjs "$work/dist"
chmod 644 "$work"/dist/*
node "$web/stamp.mjs" write src "$work/dist" "esbuild $("$web/node_modules/.bin/esbuild" --version)"
if [ "${1:-}" = --check ]; then
  node "$web/stamp.mjs" compare dist "$work/dist"
else
  node "$web/stamp.mjs" replace dist "$work/dist"
fi
