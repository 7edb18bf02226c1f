#!/usr/bin/env bash
# All tests, stock clients included: format, lints, house rules, unit tests, then everything that talks to a node.
# Wants Rust, a C compiler and Python 3; a client whose toolchain (Node.js, Go, Java with Maven) is missing is
# named as skipped at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# The judge's history is the same in every run, so that red says something of the change.
export JUDGE_SEED=${JUDGE_SEED:-1}
exec cargo xtask ci "$@"
