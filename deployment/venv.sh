# Sourced by start.sh and test.sh: make_venv REQUIREMENTS makes .venv in the current folder, once.

say() { printf '%s\n' "$*" >&2; }

# Print the first Python from 3.11 to 3.13, or say in one sentence what is missing. PYTHON chooses another one.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "SentimentAgent needs Python 3.11, 3.12 or 3.13, and ${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 || true): install one, or name one with PYTHON=/path/to/python3.12 $0"
    return 1
}

# Whether .venv was made in this folder, or where it is a link, in the one that it leads to. pip's first lines say so: the
# second where the path is long or has spaces.
is_of_here() {
    head -n 2 .venv/bin/pip 2>/dev/null | grep -qF -e "$(pwd -P)/.venv/bin/" -e "$(readlink -f .venv)/bin/"
}

# A stamp holds what the venv was made from and where, so that a second call costs nothing and a change is noticed.
make_venv() {
    local requirements=$1 python stamp wanted
    python=$(find_python) || exit 1
    stamp=.venv/.made-from
    wanted=$({ cat "$requirements" pyproject.toml; pwd -P; } | cksum)
    exec 9>.venv.lock
    flock 9
    if [ "$(cat "$stamp.$(basename "$requirements")" 2>/dev/null)" != "$wanted" ]; then
        # A venv whose making was interrupted has no pip, and the programs of one that was moved or copied with its
        # checkout name the place it came from, and run what stands there: both are made anew.
        if ! .venv/bin/python -m pip --version >/dev/null 2>&1 || ! is_of_here; then
            if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
                say "Python's venv module is missing: install it (on Debian and Ubuntu: apt install python3-venv), then start again."
                exit 1
            fi
            say "Making .venv with $("$python" --version) ..."
            "$python" -m venv --clear .venv
        fi
        say "Installing the dependencies, once: about 1.8 GB on disk, 2 to 10 minutes by network and disk ..."
        PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install -r "$requirements"
        PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip install --no-deps -e .
        printf '%s\n' "$wanted" >"$stamp.$(basename "$requirements")"
        say "Installed."
    fi
    flock -u 9
    exec 9>&-
}
