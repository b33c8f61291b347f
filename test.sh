#!/usr/bin/env bash
# The one test command: everything that must hold, from formatting to a player in a browser.
#
#   ./test.sh           all steps, in order; stops at the first that fails
#   ./test.sh --long    also what takes minutes: new games and compile errors, the release build, all browser tests with it and in both
#                       browsers, longer fuzzing
#
# Needs Rust 1.95 or later (rustup). What else is missing it installs by name, where it may: Debian packages with apt-get
# (as root, or by sudo without a password), web/'s pinned npm packages, the pinned PyPI packages of deploy/, and rustup's
# target wasm32-unknown-unknown.
# Nothing is installed that is already there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec </dev/null
export CARGO_TERM_PROGRESS_WHEN=never npm_config_update_notifier=false
# Compiling is most of the time. What only pays off in the next build, or in a debugger, is left out, as in fuzz/run.sh.
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0} CARGO_PROFILE_DEV_DEBUG=${CARGO_PROFILE_DEV_DEBUG:-0}

# Debian packages, and the command that shows that each is there. Add a service where the first test uses it.
packages=(
  node:nodejs npm:npm # the page's build, and the runner of the browser tests
  c++:g++             # libFuzzer
  chromium:chromium   # the browser tests
  firefox-esr:firefox-esr # the browser tests that run in both
  Xvfb:xvfb           # a display for windows: the hidden-tab test
  ip:iproute2         # network namespaces: the test that cuts a network
  nginx:nginx         # the recipe in docs/OPERATIONS.md, and deploy/nginx
  haproxy:haproxy     # deploy/haproxy
  redis-server:redis-server # the cluster's tests, each with a server of its own
  promtool:prometheus # deploy/prometheus, deploy/grafana
  systemd-analyze:systemd # deploy/systemd
)
# Where Python or its venv is missing, for the validators of deploy/.
packages_python=(python3 python3-venv)
# Without rustup's target for wasm32: a compiler that builds the standard library for it.
packages_wasm=(rustc-web cargo-web rust-web-src lld-19)

long=no
case ${1:-} in
  "") ;;
  --long) long=yes ;;
  *)
    echo "usage: ./test.sh [--long]" >&2
    exit 2
    ;;
esac

summary=()
current=
began=0
heading() {
  finish_step ok
  current=$1
  began=$SECONDS
  printf '\n=== %s\n' "$current"
}
finish_step() {
  [ -z "$current" ] || summary+=("$(printf '%5ds  %-6s  %s' $((SECONDS - began)) "$1" "$current")")
  current=
}
report() {
  local code=$?
  if [ "$code" -ne 0 ]; then finish_step FAILED; else finish_step ok; fi
  printf '\n=== summary (%d s)\n' "$SECONDS"
  printf '%s\n' "${summary[@]}"
  if [ "$code" -ne 0 ]; then echo "FAILED (exit code $code)"; fi
}
trap report EXIT

apt_install() {
  local -a as_root=()
  command -v apt-get >/dev/null || { echo "missing, and there is no apt-get to install them: $*" >&2; return 1; }
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || { echo "missing, please install: $*" >&2; return 1; }
    as_root=(sudo -n)
  fi
  echo "installing with apt-get: $*"
  ${as_root[@]+"${as_root[@]}"} apt-get update -qq
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

heading "tools"
missing=()
for entry in "${packages[@]}"; do
  command -v "${entry%%:*}" >/dev/null || missing+=("${entry#*:}")
done
[ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
web/build.sh --ready || apt_install "${packages_wasm[@]}"
web/build.sh --ready
for check in deploy/*/check.sh; do "$check" --ready || apt_install "${packages_python[@]}"; done
for check in deploy/*/check.sh; do "$check" --ready; done
rustc --version
echo "node $(node --version), $(chromium --version 2>/dev/null), $(firefox-esr --version 2>/dev/null)"

# The features are the same in every cargo step, so that what they share (build scripts, macros, checked
# dependencies) is compiled once.
heading "rustfmt"
cargo fmt --all --check
cargo fmt --manifest-path web/bindgen/Cargo.toml --check

heading "clippy"
cargo clippy --locked --workspace --all-targets --all-features -- -D warnings

heading "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps

# Licences, banned crates and sources of all dependencies. Where cargo-deny is not installed, the step says so.
heading "cargo deny"
if command -v cargo-deny >/dev/null; then
  cargo deny --locked --all-features check bans licenses sources
else
  echo "skipped: cargo-deny is not installed (cargo install cargo-deny --locked)"
fi

heading "tests"
cargo test --locked --workspace --all-features

# With the programs that the step "tests" has built.
heading "deploy: images, manifests, units, alerts, dashboard"
for check in deploy/*/check.sh; do
  echo "$check"
  "$check"
done

# Ten seconds each, from the corpora in the repository. A finding is a file in fuzz/artifacts, and the step prints how to repeat it.
heading "fuzzing"
fuzz/run.sh

heading "web: dist is what the sources give"
web/build.sh --check
games/arena/page/build.sh --check

# The bench itself needs an idle machine and packages of its own: see its README.
heading "web: the bench parses"
for script in web/bench/*.mjs web/bench/*/*.mjs; do node --check "$script"; done

# With the programs that the step "tests" has built. Firefox runs what browsers differ in.
heading "browser tests"
node --test --test-concurrency=1 web/test/*.test.mjs games/arena/page/test/*.test.mjs

if [ "$long" = yes ]; then
  # Each compiles all that a game depends on once more.
  heading "new games, and the compiler's words for mistakes"
  cargo test --locked --all-features -p tickwire --test compile_errors -- --ignored
  cargo test --locked --all-features -p tickwire-cli --test new -- --ignored
  heading "documentation site"
  docs/site.sh
  heading "long fuzzing"
  fuzz/run.sh --seconds 300
  heading "release build of server and bots"
  cargo build --locked --release -p tickwire-server -p tickwire-bot
  # All of them once more, each in Firefox too where it can run there, with the programs that players get.
  heading "long browser tests"
  programs=${CARGO_TARGET_DIR:-target}/release
  export TICKWIRE_LONG=1 TICKWIRE_SERVER_BIN=$programs/tickwire-server TICKWIRE_BOT_BIN=$programs/tickwire-bot
  TICKWIRE_GARBAGE_SECONDS=60 node --test --test-concurrency=1 \
    web/test/*.test.mjs web/test/long/*.test.mjs games/arena/page/test/*.test.mjs games/arena/page/test/long/*.test.mjs
fi
