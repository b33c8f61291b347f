#!/usr/bin/env bash
# Fuzzes what reads bytes of strangers, with coverage from the compiler and libFuzzer. Needs only Rust and a C++ compiler.
#
#   fuzz/run.sh [--seconds N] [TARGET..]   each target for N seconds (10), as many at a time as there are cores
#   fuzz/run.sh --reproduce FILE TARGET    runs one input, such as a finding
#   fuzz/run.sh --minimise FILE TARGET     makes a finding smaller
#   fuzz/run.sh --merge FOLDER [TARGET..]  adds to the corpora what reaches new code, from FOLDER/TARGET
#   fuzz/run.sh --build                    only builds
#
# Without TARGET: all of them, which are the files of fuzz/fuzz_targets. What a run finds that reaches new code is kept in the
# build folder, beside the corpus of the repository, and the next run goes on from there. A finding goes to fuzz/artifacts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  sed -n 's/^#   //p' "$0" >&2
  exit 2
}

seconds=10
mode=run
argument=
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:-}; shift 2 || usage ;;
    --reproduce | --minimise | --merge) mode=${1#--} argument=${2:-}; shift 2 || usage ;;
    --build) mode=build; shift ;;
    -*) usage ;;
    *) targets+=("$1"); shift ;;
  esac
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || usage
[ "$mode" != reproduce ] && [ "$mode" != minimise ] || [ ${#targets[@]} -eq 1 ] || usage
if [ ${#targets[@]} -eq 0 ]; then
  for file in fuzz/fuzz_targets/*.rs; do
    targets+=("$(basename "$file" .rs)")
  done
fi
for target in "${targets[@]}"; do
  [ -f "fuzz/fuzz_targets/$target.rs" ] || { echo "there is no target $target in fuzz/fuzz_targets" >&2; exit 2; }
done

build_folder=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
programs=$build_folder/$host/debug

# The flags of cargo-fuzz, which counts what each input reaches. No sanitizer: apart from a few calls into the kernel the code is safe
# Rust, and without one the build needs nothing unstable. --target keeps the flags from build scripts and macros. Overflow checks
# and debug assertions are those of the profile `dev`; the interpreter of rules modules is the one part that is slow at its level.
build() {
  local flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0"
  CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 RUSTFLAGS=$flags cargo build --locked --quiet \
    -p tickwire-fuzz --bins --target "$host" --target-dir "$build_folder" \
    --config 'profile.dev.package.wasmi.opt-level=3'
}

# The largest input of a target, in bytes.
max_length() {
  case $1 in
    rules_module) echo 32768 ;;
    replica_* | codebooks) echo 8192 ;;
    *) echo 4096 ;;
  esac
}

# An input that takes longer than the time limit is a finding, and so is one that makes the process larger than the limit of memory.
limits=(-timeout=25 -rss_limit_mb=1024)

fuzz() {
  local target=$1 log=$build_folder/logs/$1.log
  mkdir -p "$build_folder/corpus/$target" "$build_folder/logs" "fuzz/artifacts/$target" "fuzz/corpus/$target"
  if ! "$programs/$target" "${limits[@]}" -max_len="$(max_length "$target")" -max_total_time="$seconds" \
    -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$target/" \
    "$build_folder/corpus/$target" "fuzz/corpus/$target" >"$log" 2>&1; then
    local input
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    {
      grep -v '^#' "$log" | tail -n 40
      echo "FINDING in $target: ${input:-none was written, see $log}"
      [ -z "$input" ] || echo "  fuzz/run.sh --reproduce $input $target"
    } >&2
    return 1
  fi
  awk -v target="$target" '
    /^stat::number_of_executed_units/ { runs = $2 }
    /^stat::average_exec_per_sec/ { rate = $2 }
    / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") edges = $(i + 1); if ($i == "corp:") corpus = $(i + 1) } }
    END { printf "%-16s %10d executions  %8d/s  %6d edges  corpus %s\n", target, runs, rate, edges, corpus }' "$log"
}

build
case $mode in
  build) ;;
  reproduce)
    exec "$programs/${targets[0]}" "${limits[@]}" "$argument"
    ;;
  minimise)
    mkdir -p "fuzz/artifacts/${targets[0]}"
    exec "$programs/${targets[0]}" "${limits[@]}" -minimize_crash=1 -max_total_time="$seconds" \
      -artifact_prefix="fuzz/artifacts/${targets[0]}/" "$argument"
    ;;
  merge)
    for target in "${targets[@]}"; do
      [ -d "$argument/$target" ] || continue
      mkdir -p "fuzz/corpus/$target"
      "$programs/$target" "${limits[@]}" -max_len="$(max_length "$target")" -merge=1 \
        "fuzz/corpus/$target" "$argument/$target" 2>&1 | grep '^MERGE-OUTER: .*new' || true
    done
    ;;
  run)
    failed=0 running=0
    for target in "${targets[@]}"; do
      if [ "$running" -ge "$(nproc)" ]; then
        wait -n || failed=1
        running=$((running - 1))
      fi
      fuzz "$target" &
      running=$((running + 1))
    done
    while [ "$running" -gt 0 ]; do
      wait -n || failed=1
      running=$((running - 1))
    done
    exit "$failed"
    ;;
esac
