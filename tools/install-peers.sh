#!/usr/bin/env bash
# Installs the stock programs that the daemon works with and is tested against, where they are missing; with
# "kernel" also what a machine with the kernel tracer is made of (tests/kernel/vm), with "32-bit" also what makes 32-bit
# programs beside those of 64 bits, for which i386 becomes an architecture of this system.
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

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

missing=()
for package in "${packages[@]}"; do is_installed "$package" || missing+=("$package"); done

# What tests 32-bit programs is left out where these cannot be had.
narrow=()
if [ "${1:-}" = 32-bit ] && [ "$(dpkg --print-architecture)" = amd64 ]; then
    for package in gcc-multilib liblttng-ust1:i386; do is_installed "$package" || narrow+=("$package"); done
fi
[ $((${#missing[@]} + ${#narrow[@]})) -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        [ ${#missing[@]} -eq 0 ] || fail "run this as root, or install: ${missing[*]}"
        exit 0
    fi
    as_root=(sudo)
fi

# Without recommendations: lttng-tools would bring in the kernel modules and build them.
install() {
    printf 'Installing %s\n' "$*" >&2
    "${as_root[@]}" apt-get update || return
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
}
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}" || fail "apt-get failed; install by hand: ${missing[*]}"
[ ${#narrow[@]} -eq 0 ] || { "${as_root[@]}" dpkg --add-architecture i386 && install "${narrow[@]}"; } ||
    printf 'Tests of 32-bit programs are left out: %s cannot be installed\n' "${narrow[*]}" >&2
