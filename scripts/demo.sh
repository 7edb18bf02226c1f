#!/usr/bin/env bash
# Builds Helenus, starts a node on 127.0.0.1:9042, runs examples/users.py against it with a stock driver, and
# keeps the node up until Ctrl-C. Wants Rust, a C compiler and Python 3.
#
#   DATA_DIR   where the node keeps its data (helenus-data)
#   PYTHON     a Python 3 (python3)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

DATA_DIR=${DATA_DIR:-helenus-data}
PYTHON=${PYTHON:-python3}
target=${CARGO_TARGET_DIR:-target}

die() { printf 'demo.sh: %s\n' "$*" >&2; exit 1; }
# Asks for the protocol's OPTIONS and wants SUPPORTED back.
answers() {
    timeout 2 bash -c '
        exec 3<>/dev/tcp/127.0.0.1/9042 || exit 1
        printf "\x04\x00\x00\x00\x05\x00\x00\x00\x00" >&3
        [ "$(head -c 5 <&3 | od -An -tx1 | tr -d " \n")" = 8400000006 ]
    ' 2>/dev/null
}

if answers; then die "a node already answers on 127.0.0.1:9042: stop it first"; fi

echo "== building the release binary"
cargo build --release --package helenus

echo "== preparing a Python environment with cassandra-driver in .venv"
if [ ! -x .venv/bin/python ]; then "$PYTHON" -m venv .venv; fi
if ! .venv/bin/python -c 'import cassandra' 2>/dev/null; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check 'cassandra-driver==3.30.1'
fi

echo "== starting a node on 127.0.0.1:9042, data in $DATA_DIR"
"$target/release/helenus" --data-dir "$DATA_DIR" &
node=$!
# Ctrl-C reaches the node too; it drains and ends by itself.
trap 'kill -TERM "$node" 2>/dev/null || true; wait "$node" || true' EXIT
trap 'exit 0' INT TERM
for ((i = 0; i < 200; i++)); do
    if answers; then break; fi
    kill -0 "$node" 2>/dev/null || die "the node did not start: see above"
    sleep 0.05
done
answers || die "the node does not answer on 127.0.0.1:9042"

echo "== running examples/users.py"
.venv/bin/python examples/users.py

cat <<TEXT

The node is up: 127.0.0.1:9042, no login. Connect with any Cassandra client, for example

    from cassandra.cluster import Cluster          # in .venv/bin/python
    session = Cluster(['127.0.0.1']).connect('examples')

or  .venv/bin/pip install cqlsh==6.2.2 && .venv/bin/cqlsh

Ctrl-C stops it; the data stays in $DATA_DIR.
TEXT
wait "$node"
