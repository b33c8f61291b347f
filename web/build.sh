#!/usr/bin/env bash
# Builds web/dist, the npm package @tickwire/client: the SDK, its types and its core. It is committed, so that nobody has to build it,
# and every server embeds it.
#
#   web/build.sh            builds web/dist
#   web/build.sh --check    fails if web/dist differs from a fresh build, or is over its size budgets
#   web/build.sh --ready    builds nothing; exit code 0 if this machine has a Rust toolchain for wasm32
#
# The result is identical to the byte in any folder on any machine with the same Rust version. Needs Rust with the target
# wasm32-unknown-unknown (rustup, or Debian's rustc-web, cargo-web, rust-web-src and lld-19, with which the standard library
# is built too), and Node 18 or later with npm. TICKWIRE_WASM_TOOLCHAIN=rustup or =debian picks one where both exist.
set -euo pipefail

web=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$web")
wasm=wasm32-unknown-unknown
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$target"
target=$(cd "$target" && pwd)/web
cargo_home=${CARGO_HOME:-$HOME/.cargo}
cd "$root"

die() {
  echo "web/build.sh: $*" >&2
  exit 1
}

has_rustup_target() {
  local folder
  folder=$(rustc --print target-libdir --target "$wasm" 2>/dev/null) && [ -n "$(ls "$folder"/libstd-*.rlib 2>/dev/null)" ]
}

can_add_rustup_target() {
  command -v rustup >/dev/null && timeout 300 rustup target add "$wasm" >&2 && has_rustup_target
}

has_debian_toolchain() {
  [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -n "$(command -v wasm-ld-19)" ] &&
    [ -d "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/std" ]
}

pick_toolchain() {
  case ${TICKWIRE_WASM_TOOLCHAIN:-any} in
    rustup) has_rustup_target || can_add_rustup_target || return 1 ;;
    debian) has_debian_toolchain || return 1 ;;
    any) ;;
    *) die "TICKWIRE_WASM_TOOLCHAIN is '$TICKWIRE_WASM_TOOLCHAIN'; it can be rustup or debian" ;;
  esac
  if [ "${TICKWIRE_WASM_TOOLCHAIN:-any}" != debian ] && has_rustup_target; then
    toolchain=rustup
  elif has_debian_toolchain; then
    toolchain=debian
  elif can_add_rustup_target; then
    toolchain=rustup
  else
    return 1
  fi
}

# Runs cargo with flags that keep this machine's paths out of the module. They replace the caller's RUSTFLAGS, which would
# change the bytes.
wasm_cargo() {
  local rustc=rustc cargo=cargo sysroot flags separator=$'\x1f'
  if [ "$toolchain" = debian ]; then
    rustc=/usr/bin/rustc
    cargo=/usr/bin/cargo
  fi
  sysroot=$("$rustc" --print sysroot)
  flags="--remap-path-prefix=$cargo_home=/cargo"
  local registry
  for registry in "$cargo_home"/registry/src/*/; do
    flags+="$separator--remap-path-prefix=${registry%/}=/cargo/registry"
  done
  flags+="$separator--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rust"
  flags+="$separator--remap-path-prefix=$(readlink -m "$sysroot/lib/rustlib/src/rust")=/rust"
  flags+="$separator--remap-path-prefix=$root=/tickwire"
  flags+="$separator--remap-path-prefix=$target=/target"
  # The small SHA-256 instead of the fast one, for one module of some kilobytes.
  flags+="$separator--cfg${separator}sha2_backend_soft=\"compact\""

  local -a environment=(CARGO_TARGET_DIR="$target")
  local -a std=()
  if [ "$toolchain" = debian ]; then
    # Nobody reads a panic's message in a browser: it is a trap either way. Without messages the module is 7 % smaller.
    flags+="$separator-Zunstable-options$separator-Cpanic=immediate-abort"
    # -Z options are nightly's; RUSTC_BOOTSTRAP allows them in Debian's stable compiler.
    environment+=(RUSTC="$rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19)
    std=(-Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size)
  fi
  environment+=(CARGO_ENCODED_RUSTFLAGS="$flags")
  env "${environment[@]}" "$cargo" "$@" --locked --target "$wasm" ${std[@]+"${std[@]}"}
}

mode=${1:-}
case $mode in
  "" | --check) ;;
  --ready)
    pick_toolchain
    exit
    ;;
  *) die "unknown option $mode" ;;
esac
pick_toolchain || die "no Rust for $wasm: run 'rustup target add $wasm', or install rustc-web cargo-web rust-web-src lld-19"
command -v npm >/dev/null || die "no npm: install Node 18 or later"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/dist"

echo "-- the core as WebAssembly ($toolchain)"
# cdylib only here: as a crate-type in Cargo.toml, every native build would link one too.
cargo fetch --locked --quiet
wasm_cargo rustc -p tickwire-client --no-default-features --features wasm --profile wasm --lib --crate-type cdylib
CARGO_TARGET_DIR=$target/bindgen cargo run --quiet --locked --manifest-path web/bindgen/Cargo.toml -- \
  "$target/$wasm/wasm/tickwire_client.wasm" "$web/src/wasm"

echo "-- the SDK"
cd "$web"
./install.sh
node_modules/.bin/tsc
node_modules/.bin/tsc -p tsconfig.sdk.json --outDir "$work/dist"
rm -r "$work/dist/debug" # debug.d.ts needs none of them
# Built beside src, so that the paths in the source maps are the same on every machine.
rm -rf .out
for entry in index keys lobby react debug; do
  node_modules/.bin/esbuild "src/sdk/$entry.ts" --bundle --minify --format=esm --target=es2022 --legal-comments=none --sourcemap \
    --pure:Object.freeze --external:react --external:@tickwire/client "--external:*/lobby.js" --log-level=warning --outfile=".out/$entry.js"
  # The bundler minifies too, but its names compress 3 % worse. Only the generated loader warns, of what its callers used to give.
  node_modules/.bin/terser ".out/$entry.js" --module --compress "passes=3,pure_funcs=['console.warn']" --mangle \
    --mangle-props "regex=/^__wbg_ptr$|^__destroy_into_raw$/" \
    --source-map "content='.out/$entry.js.map',url='$entry.js.map'" --output ".out/$entry.js"
done
mv .out/* "$work/dist/"
rmdir .out
cp src/sdk/package.json src/sdk/README.md src/wasm/tickwire_bg.wasm "$work/dist/"
chmod 644 "$work"/dist/*
if [ "$toolchain" = debian ]; then
  version="$(/usr/bin/rustc --version), its own std"
else
  version=$(rustc --version)
fi
node stamp.mjs write core "$work/dist" "$version"

if [ "$mode" = --check ]; then
  node stamp.mjs compare dist "$work/dist"
else
  node stamp.mjs replace dist "$work/dist"
fi
node budgets.mjs dist
