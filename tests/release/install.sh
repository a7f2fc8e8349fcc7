#!/bin/sh
# sh tests/release/install.sh PYTHON run|test: mmcli into the environment of PYTHON; for its tests in place, with their
# tools. From the lock where it fits (run.txt says on what), each file checked by its hash; else the newest that the
# ranges of pyproject.toml allow.
set -eu
cd "$(dirname "$0")/../.."

pip="$1 -m pip install --quiet --disable-pip-version-check"
case $2 in
    run) ranges=. ours=. ;;
    test) ranges='-e .[test]' ours='-e .' ;;
    *) echo "install.sh: run or test, not $2" >&2; exit 2 ;;
esac
here='import platform, sys
print("on CPython %d.%d, %s %s." % (*sys.version_info[:2], platform.system(), platform.machine()))'
if head -1 tests/release/run.txt | grep -qF "$("$1" -c "$here")"; then
    if $pip --require-hashes -r "tests/release/$2.txt"; then
        exec $pip --no-deps --no-build-isolation $ours
    fi
    echo "the lock cannot be had here: installing what the ranges of pyproject.toml allow" >&2
fi
exec $pip $ranges
