# Sourced by the check.sh of each folder here: what all of them begin with.
#
# Sets `here` (the folder of the script), `root`, `target` (the build folder), SERVER and BOTS (default: the programs that `cargo test` builds).
here=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
root=$here/../..
target=${CARGO_TARGET_DIR:-$root/target}
SERVER=${SERVER:-$target/debug/tickwire-server}
BOTS=${BOTS:-$target/debug/tickwire-bot}

fail() { echo "FAILED: $*" >&2; exit 1; }

# Reads the script's arguments, after its function `is_ready`: --ready ends it with that one's result.
begin() {
  case ${1:-} in
    "") ;;
    --ready)
      if is_ready; then exit; else exit 1; fi
      ;;
    *)
      sed -n 's/^#   //p' "${BASH_SOURCE[1]}" >&2
      exit 2
      ;;
  esac
}

# Python 3.10 or later, with venv.
has_python() { python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

# Installs requirements.txt from PyPI into a virtual environment of this name in the build folder, unless that was done; sets `environment`.
install_requirements() {
  environment=$target/$1
  cmp -s "$here/requirements.txt" "$environment/requirements.txt" && return
  python3 -m venv --clear "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$environment/requirements.txt"
}
