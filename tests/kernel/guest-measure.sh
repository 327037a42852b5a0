#!/usr/bin/env bash
# Measures how long a client waits for one daemon, in a machine that has the kernel tracer: guest-measure.sh OUT ROUNDS
# DAEMON [ARGUMENT...]. OUT/times has a line for each command: what it is, and milliseconds.
set -u
out=$1 rounds=$2
shift 2
events=sched_switch,sched_wakeup,sched_wakeup_new,sched_process_fork,sched_process_exec,sched_process_exit
events=$events,sched_process_free,sched_process_wait,sched_migrate_task,sched_waking,irq_handler_entry
events=$events,irq_handler_exit,irq_softirq_entry,irq_softirq_exit,irq_softirq_raise,timer_hrtimer_start
events=$events,timer_hrtimer_expire_entry,timer_hrtimer_expire_exit,timer_start,timer_expire_entry

getent group tracing > /dev/null || groupadd tracing
"$@" > "$out/daemon.log" 2>&1 &
daemon=$!
for _ in $(seq 300); do
    lttng --no-sessiond list > /dev/null 2>&1 && break
    sleep 0.1
done

lt() { lttng --no-sessiond "$@" > /dev/null 2>> "$out/errors"; }

timed() { # NAME ARGUMENT...
    local name=$1 begin
    shift
    begin=$(date +%s%N)
    lt "$@" || echo "lttng $* ended with $?" >> "$out/errors"
    echo "$name $((($(date +%s%N) - begin) / 1000000))" >> "$out/times"
}

for round in $(seq "$rounds"); do
    trace=$(mktemp -d)
    lt create "s$round" --output="$trace/s"
    timed 'enable-event (20)' enable-event --kernel "$events"
    timed start start
    timed rotate rotate
    timed clear clear
    timed stop stop
    timed 'start again' start
    timed 'stop again' stop
    timed destroy destroy
    lt create "p$round" --snapshot --output="$trace/p"
    lt enable-event --kernel "$events"
    lt start
    timed 'snapshot record' snapshot record
    timed 'destroy (snapshots)' destroy
    rm -rf "$trace"
done
kill "$daemon"
wait "$daemon"
