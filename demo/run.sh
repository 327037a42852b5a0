#!/bin/sh
# Traces a small C program with a private session daemon and prints what was recorded.
#
#   demo/run.sh [DAEMON [EVENTS]]
#
# DAEMON is the session daemon to run (default: target/release/lttngd), EVENTS the number of events the
# program emits (default: 10). Root gets a mount and a network namespace of its own, so that a session
# daemon of the system is neither disturbed nor used. Nothing is left behind.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
daemon=${1:-$here/../target/release/lttngd}
events=${2:-10}

fail() {
	echo "demo: $*" >&2
	exit 1
}

for need in lttng:lttng-tools babeltrace2:babeltrace2 cc:gcc; do
	command -v "${need%%:*}" >/dev/null || fail "${need%%:*} is missing: apt-get install ${need#*:}"
done
# A name without a slash is looked up; a path must stay right after the change of directory.
case $daemon in
*/*) daemon=$(cd "$(dirname "$daemon")" 2>/dev/null && pwd)/$(basename "$daemon") ;;
*) daemon=$(command -v "$daemon") || fail "no such daemon: ${1:-}" ;;
esac
[ -x "$daemon" ] || fail "no daemon at $daemon: run 'cargo build --release' or 'make demo'"

# Root: the run directory and the shared memory have fixed places, so the places are made private.
if [ "$(id -u)" -eq 0 ] && [ -z "${LTTNGD_DEMO_PRIVATE:-}" ]; then
	if LTTNGD_DEMO_PRIVATE=1 unshare --mount --net true 2>/dev/null; then
		LTTNGD_DEMO_PRIVATE=1 exec unshare --mount --net sh "$0" "$daemon" "$events"
	fi
	[ ! -S /var/run/lttng/client-lttng-sessiond ] ||
		fail "no private namespaces here and /var/run/lttng is in use: stop the session daemon or run as an ordinary user"
	export LTTNGD_DEMO_PRIVATE=0
fi
if [ "${LTTNGD_DEMO_PRIVATE:-}" = 1 ]; then
	mount -t tmpfs -o mode=755 tmpfs "$(readlink -f /var/run)"
	mount -t tmpfs -o mode=1777 tmpfs /dev/shm
	ip link set lo up 2>/dev/null || true
fi

place=$(mktemp -d)
pid=
clean() {
	status=$?
	trap - EXIT INT TERM HUP
	if [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null; then
		wait "$pid" 2>/dev/null || true
	fi
	[ $status -eq 0 ] || { [ ! -s "$place/daemon.log" ] || sed 's/^/demo: daemon: /' "$place/daemon.log" >&2; }
	rm -rf "$place"
	exit $status
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

export HOME="$place" LTTNG_HOME="$place" LC_ALL=C
# A user in the tracing group would else reach the system's daemon.
group=
[ "$(id -u)" -eq 0 ] || group=--group=lttngd-demo-no-such-group
lt() { lttng --no-sessiond $group "$@"; }
now() { date +%s.%N; }

cc -O1 -I"$here" -o "$place/hello" "$here/hello.c" -llttng-ust -ldl ||
	fail "the program does not compile: apt-get install gcc liblttng-ust-dev"

start=$(now)
"$daemon" >"$place/daemon.log" 2>&1 &
pid=$!
until lt list >/dev/null 2>&1; do
	kill -0 "$pid" 2>/dev/null || { pid=; fail "the daemon $daemon does not start"; }
	[ "$(echo "$(now) $start" | awk '{ print ($1 - $2 > 20) }')" = 0 ] || fail "the daemon does not answer"
	sleep 0.02
done

echo "demo: daemon $daemon, process $pid"
lt create demo --output="$place/trace"
lt enable-event --userspace 'hello:*'
lt add-context --userspace --type=vpid --type=procname
lt start
# With this time-out the program's main begins once the daemon has enabled its events.
LTTNG_UST_REGISTER_TIMEOUT=20000 "$place/hello" "$events"
lt stop >"$place/stop.txt"
cat "$place/stop.txt"
lost=$(sed -n 's/^Warning: \([0-9]*\) events were discarded.*/\1/p' "$place/stop.txt")
babeltrace2 "$place/trace" >"$place/events.txt"
took=$(echo "$(now) $start" | awk '{ printf "%.2f", $1 - $2 }')
grep 'hello:' "$place/events.txt" || fail "no event was recorded"
recorded=$(grep -c 'hello:' "$place/events.txt")
lt destroy demo
kill -TERM "$pid"
wait "$pid" || fail "the daemon ended with exit code $?"
pid=
echo "demo: $recorded events recorded, ${lost:-0} lost, in $took s"
[ "$((recorded + ${lost:-0}))" -eq "$events" ] || fail "$events events were emitted"
