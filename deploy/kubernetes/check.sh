#!/usr/bin/env bash
# Holds the manifests to Kubernetes' schemas, to each other, and to the flags of the server. Needs Python 3.10 or later with venv, and no cluster.
#
#   deploy/kubernetes/check.sh          checks; SERVER (default: target/debug/tickwire-server) tells which flags there are
#   deploy/kubernetes/check.sh --ready  checks nothing; exit code 0 if this machine has what that needs
#
# The validator is installed from PyPI, at the versions in requirements.txt, into a virtual environment in the build folder.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
is_ready() { has_python; }
begin "$@"

install_requirements kubernetes-validate
export SERVER PYTHONDONTWRITEBYTECODE=1
exec "$environment/bin/python" "$here/test_manifests.py"
