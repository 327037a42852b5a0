#!/usr/bin/env bash
# Measures the stock daemons and ours by turns, in a machine that has the kernel tracer: guest-measure.sh OUT ROUNDS
# LIVES PARTS PROGRAMS DAEMON, where PROGRAMS is the directory of what waits. OUT/figures has a line for each figure:
# whose it is, what it is, and a number, with tabs between.
set -u
out=$1 rounds=$2 lives=$3 parts=$4 programs=$5 ours=$6

getent group tracing > /dev/null || groupadd tracing

# A client that is stopped by what it waits for is given up.
lt() {
    timeout 60 lttng --no-sessiond "$@" > /dev/null 2>> "$out/errors" ||
        echo "$who: lttng $* ended with $?" >> "$out/errors"
}

figure() { printf '%s\t%s\t%s\n' "$who" "$1" "$2" >> "$out/figures"; }

# The first tracepoints of the kernel.
tracepoints() { lttng --no-sessiond list --kernel | sed -n 's/^ *\([a-z][a-zA-Z0-9_]*\) (.*tracepoint.*/\1/p' | head -"$1"; }

# Milliseconds that a process has run, with its threads.
ran() { awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) * 1000 / tick) }' "/proc/$1/stat"; }

# Events of a session that are lost.
lost() { lttng --no-sessiond --mi xml list "$1" | sed 's/<discarded_events>/\n&/g' | awk -F'[<>]' '/^<disc/ { n += $3 } END { print n + 0 }'; }

# Calls read and write, so many times each, as fast as one processor can.
calls() { # CPU COUNT [BYTES]
    taskset -c "$1" dd if=/dev/zero of=/dev/null bs="${3:-1}" count="$2" 2> /dev/null
}

waits() { # COUNT
    local events what number
    mapfile -t events < <(tracepoints "$1")
    timeout 600 "$programs/waits" "$lives" "$trace" "${events[@]}" > "$trace/waited" 2>> "$out/errors" ||
        echo "$who: waits with $1 events ended with $?" >> "$out/errors"
    while IFS=$'\t' read -r what number; do figure "$what" "$number"; done < "$trace/waited"
}

# Both processors make system calls as fast as they can.
flood() {
    local count=150000 consumer before writers=() bytes missed took
    lt create f --output="$trace/f"
    lt enable-event --kernel --syscall read,write
    lt start
    consumer=$(pgrep -P "$daemon" -f -- ' -k')
    before=$(ran "$consumer")
    for cpu in 0 1; do
        calls "$cpu" "$count" &
        writers+=($!)
    done
    wait "${writers[@]}"
    lt stop
    took=$(($(ran "$consumer") - before))
    missed=$(lost f)
    bytes=$(du -sb "$trace/f" | cut -f1)
    figure 'flood: trace, MB' $((bytes / 1000000))
    figure 'flood: events lost of 1,000' $((missed / (count * 8 / 1000)))
    figure 'flood: processor time of the consumer, us a MB' $((took * 1000 / (bytes / 1000000)))
    lt destroy
    # What writing as much to a file costs that is in memory already.
    read -r before < <(TIMEFORMAT='%U %S'; { time dd if=/dev/zero of="$trace/copy" bs=1M count=$((bytes / 1000000)) 2> /dev/null; } 2>&1)
    figure 'a copy of as much by dd, us a MB' "$(echo "$before" | awk -v mb=$((bytes / 1000000)) '{ print int(($1 + $2) * 1000000 / mb) }')"
}

# One processor makes system calls, alone and then beside a session whose relay daemon stands still.
beside() {
    local count=100000 relay
    lttng-relayd --output="$trace/relay" > /dev/null 2>&1 &
    relay=$!
    sleep 2
    lt create alone --output="$trace/alone"
    lt enable-channel --kernel c --subbuf-size=256k --num-subbuf=8
    lt enable-event --kernel --channel=c --syscall read
    lt start
    calls 0 "$count"
    lt stop
    figure 'recorded of 1,000 events, alone' $((1000 - $(lost alone) / (count * 2 / 1000)))
    lt destroy

    lt create stuck --set-url=net://127.0.0.1
    lt enable-event --kernel --syscall write
    lt create beside --output="$trace/beside"
    lt enable-channel --kernel c --subbuf-size=256k --num-subbuf=8
    lt enable-event --kernel --channel=c --syscall read
    lt start stuck
    kill -STOP "$relay"
    # More than its buffers and its connection take.
    calls 1 300000
    lt disable-event --kernel --session=stuck --channel=channel0 --syscall write
    lt start beside
    calls 0 "$count"
    kill -CONT "$relay"
    lt stop beside
    figure 'recorded of 1,000 events, beside a relay daemon that stood still' $((1000 - $(lost beside) / (count * 2 / 1000)))
    lt destroy beside
    lt stop stuck
    lt destroy stuck
    kill "$relay"
    wait "$relay"
}

turn() { # WHO DAEMON...
    who=$1
    shift
    "$@" > "$out/$who.log" 2>&1 &
    daemon=$!
    for _ in $(seq 300); do
        lttng --no-sessiond list > /dev/null 2>&1 && break
        sleep 0.1
    done
    trace=$(mktemp -d)
    for part in $parts; do
        case $part in
        waits*) waits "${part#waits}" ;;
        *) "$part" ;;
        esac
        rm -rf "${trace:?}"/*
    done
    rm -rf "$trace"
    kill "$daemon"
    wait "$daemon"
}

for _ in $(seq "$rounds"); do
    turn stock lttng-sessiond
    turn ours "$ours"
done
exit 0
