#!/bin/sh
# What a weight of processor time (CPUWeight= of a unit) gives to the daemon of an ordinary user, whose consumer daemon
# may have no real-time priority: how many events of 16 programs that write as fast as they can are lost.
#
#   benches/weight.sh [DAEMON [EVENTS]]
#
# DAEMON is the session daemon to run (default: target/release/lttngd), EVENTS the number of events of all programs
# (default: 8000000). Needs root, who makes the groups, and the controller of processor time: of cgroup v2 where it can
# be enabled, else of v1. The daemon runs as nobody, with no capability. Nothing is left behind.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
daemon=${1:-$here/../target/release/lttngd}
events=${2:-8000000}
producers=16

fail() {
	echo "weight: $*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "only root can make groups"
for need in lttng:lttng-tools cc:gcc setpriv:util-linux unshare:util-linux; do
	command -v "${need%%:*}" >/dev/null || fail "${need%%:*} is missing: apt-get install ${need#*:}"
done
[ -x "$daemon" ] || fail "no daemon at $daemon: run 'cargo build --release'"

# In a mount namespace of its own: run directory and shared memory.
if [ -z "${LTTNGD_WEIGHT_APART:-}" ]; then
	export LTTNGD_WEIGHT_APART=1
	exec unshare --mount --net "$0" "$daemon" "$events"
fi
mount -t tmpfs tmpfs "$(realpath /var/run)"
mount -t tmpfs -o mode=1777 tmpfs /dev/shm

if [ -w /sys/fs/cgroup/cgroup.subtree_control ] && grep -qw cpu /sys/fs/cgroup/cgroup.controllers; then
	echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
	groups=/sys/fs/cgroup key=cpu.weight
elif [ -e /sys/fs/cgroup/cpu/cpu.shares ]; then
	# A weight of 100 is 1024 shares.
	groups=/sys/fs/cgroup/cpu key=cpu.shares
else
	fail "there is no controller of processor time"
fi

work=$(mktemp -d)
chmod 755 "$work"
ours=$groups/lttngd-weight-$$
theirs=$groups/lttngd-programs-$$
finish() {
	[ ! -e "$work/home/.lttng/lttng-sessiond.pid" ] || kill "$(cat "$work/home/.lttng/lttng-sessiond.pid")" || true
	sleep 2
	rmdir "$ours" "$theirs" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT

cp "$daemon" "$work/lttngd"
cat >"$work/flood.c" <<'C'
#include <stdlib.h>
#define LTTNG_UST_TRACEPOINT_DEFINE
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#include "flood.h"
int main(int argc, char **argv)
{
	for (int left = argc > 1 ? atoi(argv[1]) : 0; left > 0; left--)
		lttng_ust_tracepoint(flood, number, left);
	return 0;
}
C
cat >"$work/flood.h" <<'C'
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER flood
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./flood.h"
#if !defined(FLOOD_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define FLOOD_H
#include <lttng/tracepoint.h>
LTTNG_UST_TRACEPOINT_EVENT(flood, number, LTTNG_UST_TP_ARGS(int, number),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(int, number, number)))
#endif
#include <lttng/tracepoint-event.h>
C
(cd "$work" && cc -O2 -I. -o flood flood.c -llttng-ust -ldl)

nobody() {
	# So that the consumer daemon may have no priority, whatever limit root has.
	prlimit --rtprio=0 setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \
		env HOME="$work/home" LTTNG_HOME="$work/home" LTTNG_UST_REGISTER_TIMEOUT=20000 "$@"
}

# measure WEIGHT: in a group of that weight beside one of 100; without one, all together.
measure() {
	weight=$1
	rm -rf "$work/home"
	mkdir "$work/home"
	chown 65534:65534 "$work/home"
	enter_ours=: enter_theirs=:
	if [ "$weight" != none ]; then
		mkdir -p "$ours" "$theirs"
		case $key in
		cpu.weight) echo "$weight" >"$ours/$key" && echo 100 >"$theirs/$key" ;;
		*) echo $((weight * 1024 / 100)) >"$ours/$key" && echo 1024 >"$theirs/$key" ;;
		esac
		enter_ours="echo 0 >$ours/cgroup.procs"
		enter_theirs="echo 0 >$theirs/cgroup.procs"
	fi
	(
		eval "$enter_ours"
		nobody "$work/lttngd" --background >/dev/null 2>"$work/log"
	) || fail "the daemon does not start: $(cat "$work/log")"
	nobody lttng --no-sessiond create weight >/dev/null
	nobody lttng --no-sessiond enable-channel --userspace --buffers-pid channel >/dev/null
	nobody lttng --no-sessiond enable-event --userspace --channel=channel flood:number >/dev/null
	nobody lttng --no-sessiond start >/dev/null
	begun=$(date +%s%N)
	running=
	for _ in $(seq $producers); do
		(
			eval "$enter_theirs"
			nobody "$work/flood" $((events / producers))
		) &
		running="$running $!"
	done
	# shellcheck disable=SC2086 # one word for each
	wait $running
	took_ms=$((($(date +%s%N) - begun) / 1000000))
	nobody lttng --no-sessiond stop >/dev/null 2>&1
	lost=$(nobody lttng --mi xml --no-sessiond list weight | grep -o '<discarded_events>[0-9]*' | tr -dc '0-9\n' |
		awk '{ sum += $1 } END { print sum + 0 }')
	echo "| $weight | $((100 * lost / events)) % | $took_ms ms |"
	kill "$(cat "$work/home/.lttng/lttng-sessiond.pid")"
	while [ -e "$work/home/.lttng/lttng-sessiond.pid" ]; do sleep 0.1; done
}

echo "| weight ($key) | lost | the programs' time |"
echo "| --- | --- | --- |"
for weight in none 100 1000 10000; do
	measure "$weight"
done
