#!/usr/bin/env bash
# Holds the manifests to Kubernetes' schemas, to each other, and to the flags of the server. Needs Python 3.10 or later with venv, and no cluster.
#
#   deploy/kubernetes/check.sh          checks; SERVER (default: target/debug/tickwire-server) tells which flags there are
#   deploy/kubernetes/check.sh --ready  checks nothing; exit code 0 if this machine has what that needs
#
# The validator is installed from PyPI, at the versions in requirements.txt, into a virtual environment in the build folder.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}

case ${1:-} in
  "") ;;
  --ready)
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null
    exit
    ;;
  *)
    sed -n 's/^#   //p' "$0" >&2
    exit 2
    ;;
esac

environment=$target/kubernetes-validate
if ! cmp -s "$here/requirements.txt" "$environment/requirements.txt"; then
  python3 -m venv --clear "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$environment/requirements.txt"
fi
export SERVER=${SERVER:-$target/debug/tickwire-server} PYTHONDONTWRITEBYTECODE=1
exec "$environment/bin/python" "$here/test_manifests.py"
