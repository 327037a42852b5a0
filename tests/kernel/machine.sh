# Where the kernel's domain is tried: for root on a machine that has the tracer itself, there, else in that of vm.

# Runs COMMAND OUT ARGUMENT..., where OUT is a directory whose files are there afterwards.
in_machine() { # OUT COMMAND [ARGUMENT...]
    local to=$1 command=$2
    shift 2
    mkdir -p "$to"
    if [ "$(id -u)" = 0 ] && modprobe --dry-run --quiet lttng-tracer 2> /dev/null; then
        "$command" "$to" "$@"
    else
        "$(dirname "${BASH_SOURCE[0]}")/vm" --out "$to" --timeout "${LTTNGD_MACHINE_LIMIT:-3600}" "$command" /out "$@"
    fi
}
