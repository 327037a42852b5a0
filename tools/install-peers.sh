#!/usr/bin/env bash
# Installs the stock programs that the daemon works with and is tested against, where they are missing; with
# "kernel" also what a machine with the kernel tracer is made of (tests/kernel/vm).
set -euo pipefail

packages=(
    babeltrace2      # reads traces
    build-essential  # compiles traced applications
    liblttng-ctl-dev # clients in C
    liblttng-ust-dev # traced applications
    lttng-tools      # lttng, lttng-consumerd, lttng-relayd and the stock daemon
    python3-bt2      # reads traces from Python
    python3-lttngust # the agent of Python programs
)
if [ "${1:-}" = kernel ]; then
    packages+=(
        busybox-static  # the machine's first programs
        gcc-12          # what Debian's kernel is compiled with
        kmod            # loads its modules
        make            # builds lttng-modules
        qemu-system-x86 # the machine
        xz-utils        # unpacks its kernel
    )
fi

fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 1
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # Another distribution: the programs may be there under other package names.
    for program in lttng lttng-relayd babeltrace2 cc; do
        command -v "$program" >/dev/null ||
            fail "$program is missing and this is no Debian system: install by hand what these packages hold: ${packages[*]}"
    done
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "run this as root, or install: ${missing[*]}"
    as_root=(sudo)
fi
printf 'Installing %s\n' "${missing[*]}" >&2
"${as_root[@]}" apt-get update || fail "apt-get update failed; install by hand: ${missing[*]}"
# Without recommendations: lttng-tools would bring in the kernel modules and build them.
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "${missing[@]}" ||
    fail "apt-get install failed; install by hand: ${missing[*]}"
