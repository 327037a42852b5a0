#!/usr/bin/env bash
# Runs scenarios as a client of one daemon, in a machine that has the kernel tracer: guest.sh OUT PROGRAMS LIST DAEMON
# [ARGUMENT...], where LIST names scenarios, and PROGRAMS is the directory of what is traced. What each prints goes to
# OUT/<its name>.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$1 list=$3
export LTTNGD_PROBED=$2/probed LTTNGD_TRACED=$2/traced LTTNGD_SUBSCRIBER=$2/subscriber
# Longest time of a scenario, in seconds: an emulated machine beside others is slow.
limit=${LTTNGD_SCENARIO_LIMIT:-900}
shift 3
getent group tracing > /dev/null || groupadd tracing
"$@" > "$out/daemon.log" 2>&1 &
daemon=$!
for _ in $(seq 300); do
    lttng --no-sessiond list > /dev/null 2>&1 && break
    sleep 0.1
done
for name in $list; do
    timeout "$limit" bash -c '. "$1/scenario.sh"; . "$1/scenarios/$2"' _ "$here" "$name" > "$out/$name" 2>&1
    status=$?
    [ "$status" = 0 ] || echo "the scenario ended with $status" >> "$out/$name"
    lttng --no-sessiond destroy --all > /dev/null 2>&1
done
kill "$daemon"
wait "$daemon"
echo "the daemon ended with $?" > "$out/end"
# Nothing of it is left in the kernel.
grep -c '^lttng_' /proc/modules >> "$out/end"
exit 0
