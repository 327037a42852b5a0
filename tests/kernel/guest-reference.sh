#!/usr/bin/env bash
# Runs scripts of lttng-tools' tests/regression with one pair of daemons, in a machine that has the kernel tracer:
# guest-reference.sh OUT TREE SESSIOND CONSUMERD SCRIPT..., where an empty daemon is the tree's own. What each prints
# goes to OUT/<its name with dots for slashes>.
set -u
out=$1 tree=$2
# A program of the tree is a script that finds its libraries whenever it starts, which takes longer than what most of
# them do: what that executes stands in its place.
export LD_LIBRARY_PATH=$tree/src/lib/lttng-ctl/.libs
for program in "$tree"/src/bin/*/.libs/* "$tree"/tests/regression/tools/{.,trigger}/*/.libs/*; do
    started=${program%/.libs/*}/${program##*/}
    if [ -x "$started" ] && [ "$(head -c 2 "$started" | tr -d '\0')" = '#!' ]; then mount --bind "$program" "$started"; fi
done
[ -z "$3" ] || mount --bind "$3" "$tree/src/bin/lttng-sessiond/lttng-sessiond"
[ -z "$4" ] || mount --bind "$4" "$tree/src/bin/lttng-consumerd/lttng-consumerd"
shift 4
getent group tracing > /dev/null || groupadd tracing
command -v babeltrace > /dev/null || ln -s "$(command -v babeltrace2)" /usr/local/bin/babeltrace
# Probes are placed in no file of an overlay.
for probed in "$tree"/tests/utils/testapp/userspace-probe-*; do
    cp -r "$probed" /dev/shm/
    mount --bind "/dev/shm/${probed##*/}" "$probed"
done
# What these do in user space needs no such machine.
if [ -n "${LTTNGD_KERNEL_HALVES:-}" ]; then
    cd "$tree/tests/regression/tools" || exit 1
    halved="tracker/test_event_tracker wildcard/test_event_wildcard filtering/test_valid_filter filtering/test_invalid_filter
        notification/test_notification_multi_app"
    # Each name is a word of its own.
    sed -i -E 's/^(NUM_UST_TESTS|NUM_TEST_UST)=.*/\1=0/
        /^test_event_[a-z_]* ust /d; /^test_event_ust_/d; /^\ttest_[a-z_]*_ust$/d
        s/^(\ttest_invalid_filter|test_bytecode_limit) -u.*/\t:/
        s/^UST_(STR_)?FILTERS=\($/&\n\tEND/' $halved
    cd /
fi
# Much of a daemon's life there is the loading of modules, unless they are loaded.
if [ -n "${LTTNGD_LOADED:-}" ]; then
    lttng-sessiond --daemonize
    loaded=$(sed -n 's/^\(lttng_[a-z0-9_]*\) .*/\1/p' /proc/modules)
    pkill lttng-sessiond
    while pgrep lttng-sessiond > /dev/null; do sleep 0.1; done
    # Each is a word of its own.
    modprobe --all $loaded
fi
for script in "$@"; do
    log=$out/${script//\//.} SECONDS=0
    (cd "$tree/tests/regression/${script%/*}" && timeout --kill-after=10 "$LTTNGD_SCRIPT_LIMIT" "./${script##*/}") > "$log" 2>&1
    printf 'ended with %s\ntook %s s\n' $? $SECONDS >> "$log"
    # What one leaves is not the next one's.
    pkill -KILL 'lttng-' 2> /dev/null
    pkill -KILL lttngd 2> /dev/null
    rm -rf /var/run/lttng
done
exit 0
