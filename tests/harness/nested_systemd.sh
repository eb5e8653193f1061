#!/usr/bin/env bash
# The inside of nested_systemd.py: two steps of one start, each of which execs the next.
#   nested_systemd.sh enter FOLDER    joins the control groups named in FOLDER/groups, then makes the namespaces
#   nested_systemd.sh boot FOLDER     builds a root over this machine's own, moves into it, becomes systemd
# What is written inside goes to memory and is gone with the namespaces. FOLDER/binds has lines "outside inside".
set -euo pipefail

self=$(readlink -f "$0")
folder=$2

enter() {
    while read -r group; do
        echo $$ >"$group/cgroup.procs"
    done <"$folder/groups"
    # Whoever started this may die as it likes: the kernel then ends unshare, unshare ends its child, and the death
    # of a PID 1 ends everything in its namespace. Without the capabilities nothing inside can load a module into the
    # kernel, which is everybody's, set the clock, or take up the audit.
    exec setpriv --pdeathsig KILL --bounding-set=-sys_module,-sys_time,-audit_control,-audit_read \
        unshare --mount --propagation private --uts --ipc --net --cgroup --pid --fork --kill-child=KILL \
        bash "$self" boot "$folder"
}

# Programs see this machine's files; what they change stays in memory.
build_root() {
    mount -t tmpfs -o mode=755 tmpfs "$folder/memory"
    mkdir "$folder"/memory/{changed,work}
    mount -t overlay -o "lowerdir=/,upperdir=$folder/memory/changed,workdir=$folder/memory/work" overlay "$root"
    for place in run tmp var/tmp; do
        mount -t tmpfs -o mode=1777 tmpfs "$root/$place"
    done
    chmod 755 "$root/run"
    while read -r outside inside; do
        mkdir -p "$root$inside"
        mount --bind "$outside" "$root$inside"
        mount -o remount,bind,ro "$root$inside"
    done <"$folder/binds"
}

# /proc/sys and /sys are the one kernel that all share: to be read only.
build_kernel_files() {
    mount -t proc proc "$root/proc"
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for device in null zero full random urandom tty; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir "$root"/dev/{pts,shm}
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    for number in 0:stdin 1:stdout 2:stderr; do
        ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"
    done
}

# The same hierarchies as outside, seen from the groups that enter() joined.
build_groups() {
    local groups=$root/sys/fs/cgroup controllers
    if ! grep -q '^[1-9]' /proc/self/cgroup; then
        mount -t cgroup2 cgroup2 "$groups"
        return
    fi
    mount -t tmpfs -o mode=755 tmpfs "$groups"
    mkdir "$groups/unified"
    mount -t cgroup2 cgroup2 "$groups/unified"
    while read -r controllers; do
        mkdir "$groups/${controllers#name=}"
        mount -t cgroup -o "$controllers" cgroup "$groups/${controllers#name=}"
    done <"$folder/controllers"
}

# Nothing of this machine's own start: no devices, no file systems, no remembered random seed.
build_units() {
    local units=$root/etc/systemd/system unit
    mkdir -p "$units"
    for unit in systemd-udevd.service systemd-udev-trigger.service systemd-random-seed.service \
        systemd-machine-id-commit.service systemd-update-utmp.service \
        sys-kernel-{config,debug,tracing}.mount sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount; do
        ln -sfn /dev/null "$units/$unit"
    done
    : >"$root/etc/fstab"
    : >"$root/etc/machine-id"
}

boot() {
    root=$folder/root
    build_root
    build_kernel_files
    build_groups
    build_units
    mkdir "$root/outside"
    cd "$root"
    pivot_root . outside
    umount --lazy /outside
    rmdir /outside
    exec env --ignore-environment container=nested PATH="$PATH" TERM=dumb \
        /lib/systemd/systemd --system --unit=sysinit.target --show-status=no </dev/null
}

"$1"
