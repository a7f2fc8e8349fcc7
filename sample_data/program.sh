# The program of demo.sh and recommend.sh, which read this file at the root of the checkout: $program, its Python in
# $python, and mmcli, which shows each command before it runs. Installed into .venv unless MMCLI names one.

sources() { # one line that changes when the code does
    find pyproject.toml setup.py mmcli -type f ! -name '*.pyc' ! -name '*.so' -exec cksum {} + | sort | cksum
}

installed() { # does .venv hold this checkout as it is now?
    .venv/bin/mmcli --version >/dev/null 2>&1 || return 1
    [ "$(cat .venv/mmcli-sources 2>/dev/null)" = "$(sources)" ] && return 0
    [ "$(cd .venv && bin/python -c 'import mmcli; print(mmcli.__path__[0])')" = "$PWD/mmcli" ] # editable
}

if [ -n "${MMCLI:-}" ]; then
    program=$MMCLI
    python=${PYTHON:-$(dirname "$(command -v "$program")")/python}
else
    program=.venv/bin/mmcli
    python=.venv/bin/python
    if ! installed; then
        python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
            echo "mmcli needs Python 3.11 or newer; python3 is $(python3 --version 2>&1)" >&2
            exit 2
        }
        echo "installing mmcli into .venv, once (some minutes on a slow line)"
        python3 -m venv .venv
        sh tests/release/install.sh $python run
        sources >.venv/mmcli-sources
    fi
fi

exec 3>&1
mmcli() { # show each command before it runs
    printf '\n$ mmcli %s\n' "$*" >&3
    "$program" "$@"
}
