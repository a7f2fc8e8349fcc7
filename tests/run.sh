#!/bin/sh
# Lint, types and tests. Sets up a virtual environment in .venv the first time.
#   sh tests/run.sh                       everything but the long hunts
#   sh tests/run.sh -m hunt               the long hunts (arguments go to pytest)
set -eu
cd "$(dirname "$0")/.."

python=.venv/bin/python
[ -x "$python" ] || python3 -m venv .venv
# Installed in place, with the kernels compiled, so that what is tested is what stands here.
stamp=.venv/mmcli-test-extra
if ! [ -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ setup.py -nt "$stamp" ] ||
    [ -n "$(find mmcli/aligners/kernels/csrc mmcli/models/kernels/csrc -newer "$stamp" 2>/dev/null)" ]; then
    echo "installing mmcli and its test tools into .venv (some minutes the first time)"
    sh tests/release/install.sh "$python" test
    touch "$stamp"
fi

if [ $# -eq 0 ]; then
    "$python" -m ruff check .
    "$python" -m ruff format --check --quiet .
    "$python" -m mypy
fi
# Each module is compiled once, not by both workers and by each of the thousand processes that the tests start.
unset PYTHONDONTWRITEBYTECODE
OMP_NUM_THREADS=1 exec "$python" -m pytest -q -n auto --dist worksteal "$@"
