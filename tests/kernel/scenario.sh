# What the scenarios share. Each prints what happened, the same whichever daemon serves: what the client says
# and its status, which events, fields and files a trace has, without times, addresses and counts.

traces=$(mktemp -d)
trap 'rm -rf "$traces"' EXIT

# Runs the client, and prints what it says and its status. That it waits for a session to be destroyed or cleared it says
# where that takes a while.
lt() {
    local said status
    said=$(lttng --no-sessiond "$@" 2>&1)
    status=$?
    printf '$ lttng %s\n' "${*//$traces/TRACES}"
    printf '%s\n' "$said" | sed -e "s#$traces#TRACES#g" \
        -e 's/\.\.\.*$//' -e '/^Waiting/s/\.*$//' -e 's/\.\.*\(Trace chunk\|Error\)/ \1/' \
        -e 's/^Destroying session [^ ]* *//' -e '/^Waiting for clear/d' \
        -e 's/[0-9]\{8\}-[0-9]\{6\}/TIME/g' -e 's/[0-9]\{8\}T[0-9]\{6\}[+-][0-9]\{4\}/TIME/g' \
        -e '/Discarded events:/d' -e '/Lost packets:/d' -e '/events were discarded/d' \
        -e 's/^\(- .*\): \[.*abled\]$/\1/' \
        -e '/^$/d'
    [ "$status" = 0 ] || printf 'status %s\n' "$status"
}

# A saved session. Whether a channel records is told as when it was made by the stock daemon, and as it is by ours.
saved() {
    sed -e "s#$traces#TRACES#" -e '/<channel>/,/<overwrite_mode>/{/<enabled>/d}' \
        -e 's/>4294967295</>0</' "$1"
}

# The names of the events of a trace that match a pattern, each once.
names() {
    babeltrace2 --no-delta "$1" 2>/dev/null |
        sed -n 's/^\[[^]]*\] [^ ]* \([a-zA-Z0-9_:]*\): .*/\1/p' | grep -E "${2:-.}" | LC_ALL=C sort -u
}

# The names of the fields of the first event of a name, with its contexts.
fields() {
    babeltrace2 --no-delta "$1" 2>/dev/null | grep -m1 -E " $2: " |
        grep -oE '[a-zA-Z_][a-zA-Z0-9_]* = ' | tr -d ' =' | tr '\n' ' '
    echo
}

# Whether a trace has events at all, and whether it can be read to its end.
readable() {
    if babeltrace2 "$1" > "$traces/read" 2> /dev/null; then
        [ -s "$traces/read" ] && echo "has events" || echo "is empty"
    else
        echo "cannot be read"
    fi
}

# The files below a directory, without times.
files() {
    (cd "$1" && find . -type f | sed -E 's/[0-9]{8}-[0-9]{6}/TIME/g; s/[0-9]{8}T[0-9]{6}[+-][0-9]{4}/TIME/g' |
        LC_ALL=C sort)
}

# Something that every kernel does, twice over: processes, files, waiting.
activity() {
    local i
    for i in 1 2 3; do
        /bin/true
        cat /etc/passwd > /dev/null
        sleep 0.05
    done
}
