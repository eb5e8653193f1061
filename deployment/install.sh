#!/usr/bin/env bash
# Installs SentimentAgent from this checkout on a server with systemd; run again, it upgrades. See docs/systemd.md.
#   sudo deployment/install.sh [--dry-run] [--venv-from DIR]
#   sudo deployment/install.sh --uninstall [--purge] [--dry-run]
# Each step looks first whether it is needed, so that a run with nothing to do changes nothing and restarts nothing.
set -euo pipefail
umask 022

readonly app=/opt/sentimentagent
readonly settings=/etc/sentimentagent/.env
readonly unit=/etc/systemd/system/sentimentagent.service
readonly rotation=/etc/logrotate.d/sentimentagent
readonly command=/usr/local/bin/sentimentagent
readonly user=sentimentagent
#: What is copied; what a checkout has beyond that is for developers.
readonly parts=(agent api ipc watchdog deployment systemd docs pyproject.toml README.md LICENSE CHANGELOG.md)
#: A venv with the CPU build of torch took 1.8 GB, measured; the rest is for pip at work. The default build of torch
#: brings CUDA's libraries and takes several times as much: docs/systemd.md.
readonly venv_mb=3000
readonly code_mb=100

checkout=$(dirname "$(dirname "$(readlink -f "$0")")")
# shellcheck source=deployment/venv.sh
. "$checkout/deployment/venv.sh"

is_dry=false
is_changed=false

usage() {
    cat <<'HELP'
Usage: sudo deployment/install.sh [OPTION]...
Install SentimentAgent from this checkout into /opt/sentimentagent as a systemd service, or upgrade it.

  --dry-run         print each step and change nothing
  --venv-from DIR   use the packages of the venv DIR where they are, instead of installing them with pip
  --uninstall       remove service and program; keep settings, data, logs and the user
  --purge           with --uninstall: remove those as well
  --help            print this

PYTHON=/path/to/python3.12 chooses the Python. pip's own settings (PIP_NO_INDEX, PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL)
are passed through.
HELP
}

fail() {
    say "$*"
    exit 1
}

# step WORDS COMMAND...: say WORDS and run COMMAND; in a dry run, only say them.
step() {
    local words=$1
    shift
    is_changed=true
    if $is_dry; then
        printf 'would %s\n' "$words"
    else
        printf '%s\n' "$words"
        [ "$action" != install_all ] || mark_unfinished
        "$@"
    fi
}

# An installation that breaks off is finished, with its restart, by the next run.
mark_unfinished() {
    mkdir -p "$app"
    touch "$app/.unfinished"
}

# --- What can be wrong beforehand

check_machine() {
    [ "$(id -u)" = 0 ] || $is_dry || fail "Not root: installing a service needs it. Run: sudo $0"
    [ -d /run/systemd/system ] ||
        fail "This machine was not started by systemd: run ./start.sh under whatever supervises services here."
    [ "$checkout" != "$app" ] || fail "This checkout lies in $app, where it is installed to: move it, and run this there."
}

# The unit gives the service no sight of these (ProtectHome, PrivateTmp).
is_hidden_from_service() {
    case $(readlink -f "$1")/ in /home/* | /root/* | /run/user/* | /tmp/* | /var/tmp/*) true ;; *) false ;; esac
}

choose_python() {
    local base
    python=$(find_python) || exit 1
    base=$("$python" -c 'import sys; print(sys.base_prefix)')
    if is_hidden_from_service "$base"; then
        fail "$python lies in $base, where the service can't look: name another Python with PYTHON=/usr/bin/python3 $0"
    fi
    "$python" -c 'import venv, ensurepip' 2>/dev/null || [ -n "$venv_from" ] ||
        fail "Python's venv module is missing: install it (on Debian and Ubuntu: apt install python3-venv)."
}

check_borrowed() {
    local minor
    minor=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    borrowed=$(readlink -f "$venv_from")/lib/$minor/site-packages
    [ -d "$borrowed" ] || fail "$venv_from holds no packages for $minor, which $python is."
    [ -e "$venv_from/bin/sentimentagent" ] || fail "$venv_from is not a venv in which SentimentAgent was installed."
    ! is_hidden_from_service "$venv_from" || fail "$venv_from lies where the service can't look: move it to /srv or /opt."
}

check_space() {
    local needed_mb=$code_mb place=$app free_mb
    [ -n "$venv_from" ] || [ -e "$app/$venv/.complete" ] || needed_mb=$venv_mb
    while [ ! -e "$place" ]; do place=$(dirname "$place"); done
    free_mb=$(df --output=avail --block-size=1M "$place" | tail -n 1)
    [ "$free_mb" -ge "$needed_mb" ] || fail "Not enough space: $app needs $needed_mb MB, $place has${free_mb} MB free."
}

# --- The steps of an installation

add_user() {
    id -u "$user" >/dev/null 2>&1 && return
    step "add the system user $user" \
        useradd --system --user-group --no-create-home --home-dir /var/lib/sentimentagent --shell /usr/sbin/nologin "$user"
}

add_settings() {
    [ -e "$settings" ] && return
    step "write the default settings to $settings" \
        install -D --mode=640 --group="$user" "$checkout/deployment/.env.example" "$settings"
}

# Each set of packages has a folder of its own and .venv is a link: an upgrade that fails leaves what runs as it is.
venv_name() {
    printf '.venv-%s' "$({ cat "$checkout/deployment/requirements.txt" && "$python" --version && echo "$venv_from"; } |
        cksum | tr -d ' ')"
}

add_venv() {
    [ -e "$app/$venv/.complete" ] && return
    if [ -n "$venv_from" ]; then
        step "make $app/$venv, with the packages of $venv_from where they are" borrow_packages
    else
        step "make $app/$venv and install the dependencies into it (minutes)" install_packages
    fi
}

install_packages() {
    "$python" -m venv --clear "$app/$venv"
    # The last two build the project itself: with them here, nothing after this step needs a network.
    if ! PIP_DISABLE_PIP_VERSION_CHECK=1 "$app/$venv/bin/python" -m pip install --quiet --progress-bar off \
        -r "$checkout/deployment/requirements.txt" 'hatchling>=1.27' editables; then
        rm -rf "${app:?}/$venv"
        fail "pip could not install the dependencies; its reason stands above. Nothing that runs was changed."
    fi
    touch "$app/$venv/.complete"
}

# A venv can't be copied: its scripts name their Python by its path. So this one is made here, reads the packages where
# they are, and has the few scripts that are needed with the first line changed. It is worth as much as DIR is: whoever
# changes or removes DIR changes or breaks the service.
borrow_packages() {
    local script
    "$python" -m venv --clear --without-pip "$app/$venv"
    printf '%s\n' "$app" "$borrowed" >"$("$app/$venv/bin/python" -c 'import site; print(site.getsitepackages()[0])')/borrowed.pth"
    for script in "$venv_from"/bin/{sentimentagent,sentimentagent-*,supervisord,supervisorctl}; do
        sed "1s|.*|#!$app/$venv/bin/python|" "$script" >"$app/$venv/bin/$(basename "$script")"
        chmod 755 "$app/$venv/bin/$(basename "$script")"
    done
    touch "$app/$venv/.complete"
}

# The code as it will lie in /opt, whatever the owner and the umask of the checkout; with the commit, since no .git follows.
stage_code() {
    stage=$(mktemp -d)
    trap 'rm -rf "$stage"' EXIT
    tar --create --directory="$checkout" --exclude=__pycache__ --owner=0 --group=0 --mode='u=rwX,go=rX' "${parts[@]}" |
        tar --extract --directory="$stage" --preserve-permissions
    GIT_OPTIONAL_LOCKS=0 git -C "$checkout" -c safe.directory="$checkout" describe --always --dirty --abbrev=40 --exclude='*' \
        >"$stage/COMMIT" 2>/dev/null || rm -f "$stage/COMMIT"
}

add_code() {
    local part
    local changed=()
    for part in "${parts[@]}" COMMIT; do
        [ -e "$stage/$part" ] || [ -e "$app/$part" ] || continue
        diff --recursive --brief --exclude=__pycache__ "$stage/$part" "$app/$part" >/dev/null 2>&1 || changed+=("$part")
    done
    [ ${#changed[@]} = 0 ] || step "copy to $app: ${changed[*]}" copy_code "${changed[@]}"
    if [ ${#changed[@]} != 0 ] || [ "$(readlink "$app/.venv")" != "$venv" ]; then
        step "let $app/.venv be $venv" link_venv
    fi
}

copy_code() {
    local part
    mkdir -p "$app"
    for part in "$@"; do
        rm -rf "${app:?}/$part.new"
        [ ! -e "$stage/$part" ] || cp -R --preserve=mode "$stage/$part" "$app/$part.new"
        rm -rf "${app:?}/$part"
        [ ! -e "$app/$part.new" ] || mv "$app/$part.new" "$app/$part"
    done
}

link_venv() {
    [ -n "$venv_from" ] || PIP_DISABLE_PIP_VERSION_CHECK=1 "$app/$venv/bin/python" -m pip install --quiet \
        --no-index --no-deps --no-build-isolation --editable "$app"
    # The service can't write here, and would compile at every start.
    (cd "$app" && "$venv/bin/python" -m compileall -q agent api ipc watchdog)
    [ -L "$app/.venv" ] || rm -rf "$app/.venv"
    ln -sfn "$venv" "$app/.venv"
}

# add_file SOURCE PLACE [MODE]
add_file() {
    cmp --silent "$checkout/$1" "$2" || step "write $2" install -D --mode="${3:-644}" "$checkout/$1" "$2"
}

# The unit itself makes /var/lib, /var/log and /run/sentimentagent.
start_service() {
    systemctl is-enabled --quiet sentimentagent 2>/dev/null || step "enable the service" enable_service
    if $is_changed || [ -e "$app/.unfinished" ]; then
        step "(re)start the service and wait until all four processes are ready" restart_service
    else
        echo "Nothing to do: this is what is installed, and the service is $(systemctl is-active sentimentagent || true)."
    fi
}

enable_service() {
    systemctl daemon-reload
    systemctl --quiet enable sentimentagent
}

restart_service() {
    systemctl daemon-reload
    systemctl reset-failed sentimentagent 2>/dev/null || true
    if ! systemctl restart sentimentagent; then
        systemctl status --no-pager --full --lines=20 sentimentagent >&2 || true
        fail "Installed, but the service did not start: its own words stand above. Mend it and run $0 again."
    fi
    # Until now the old one was what could be gone back to.
    find "$app" -maxdepth 1 -name '.venv-*' ! -name "$venv" -exec rm -rf {} +
    rm -f "$app/.unfinished"
    echo "SentimentAgent is active. Look at it with: sudo sentimentagent status"
    echo "Settings: $settings; after a change: systemctl restart sentimentagent"
}

install_all() {
    check_machine
    choose_python
    [ -z "$venv_from" ] || check_borrowed
    venv=$(venv_name)
    check_space
    stage_code
    add_user
    add_settings
    add_venv
    add_code
    add_file systemd/sentimentagent.service "$unit"
    add_file deployment/logrotate "$rotation"
    add_file deployment/sentimentagent-on-server "$command" 755
    start_service
}

# --- Uninstalling

uninstall_all() {
    check_machine
    if [ -e "$unit" ]; then
        step "stop and disable the service" systemctl --quiet disable --now sentimentagent
        step "remove $unit" rm -f "$unit"
        step "let systemd forget it" forget_service
    fi
    local place
    for place in "$rotation" "$command" "$app"; do
        [ ! -e "$place" ] || step "remove $place" rm -rf "$place"
    done
    if $is_purge; then purge; else echo "Kept: /etc/sentimentagent, /var/lib/sentimentagent, /var/log/sentimentagent, the user $user."; fi
}

forget_service() {
    systemctl daemon-reload
    systemctl reset-failed sentimentagent 2>/dev/null || true
}

purge() {
    local place
    for place in /etc/sentimentagent "$unit.d" /var/lib/sentimentagent /var/log/sentimentagent; do
        [ ! -e "$place" ] || step "remove $place" rm -rf "$place"
    done
    ! id -u "$user" >/dev/null 2>&1 || step "remove the user $user" userdel "$user"
}

venv_from=
action=install_all
is_purge=false
while [ $# -gt 0 ]; do
    case $1 in
    --dry-run) is_dry=true ;;
    --venv-from) venv_from=${2:?"--venv-from needs a folder"} && shift ;;
    --uninstall) action=uninstall_all ;;
    --purge) is_purge=true ;;
    --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift
done
if $is_purge && [ "$action" != uninstall_all ]; then usage >&2 && exit 2; fi
"$action"
