#!/bin/sh
# Installs the Debian packages into a root of their own, starts the daemon from there, and removes them again.
#
#   packaging/deb/try.sh LTTNGD.deb LTTNGD-SESSIOND.deb
#
# Without root's rights fakeroot installs. The daemon is started in namespaces of its own, so that none of the system is
# disturbed. Nothing is left behind.

set -eu

fail() {
	echo "deb: $*" >&2
	exit 1
}

[ $# = 2 ] || fail "two packages are needed"
for need in dpkg:dpkg lttng:lttng-tools unshare:util-linux; do
	command -v "${need%%:*}" >/dev/null || fail "${need%%:*} is missing: apt-get install ${need#*:}"
done
if [ "$(id -u)" = 0 ]; then
	as_root=
else
	command -v fakeroot >/dev/null || fail "fakeroot is missing: apt-get install fakeroot"
	as_root=fakeroot
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/usr/bin" "$root/var/log"
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
# What lttng-tools has there.
echo stock >"$root/usr/bin/lttng-sessiond"

packages() {
	# What they depend on is outside.
	$as_root dpkg --root="$root" --force-script-chrootless --force-depends --log=/dev/null "$@" \
		>"$work/log" 2>&1 || {
		cat "$work/log" >&2
		fail "dpkg $1"
	}
}

packages --install "$1"
[ "$(cat "$root/usr/bin/lttng-sessiond")" = stock ] || fail "the daemon of lttng-tools is not beside it"
packages --install "$2"
[ "$(readlink "$root/usr/bin/lttng-sessiond")" = lttngd ] || fail "lttng-sessiond is not lttngd"
[ "$(cat "$root/usr/bin/lttng-sessiond.lttng-tools")" = stock ] || fail "the daemon of lttng-tools is gone"
for file in bin/lttngd lib/systemd/system/lttngd.service lib/systemd/user/lttngd.service \
	share/man/man8/lttngd.8.gz share/man/man1/lttngd-status.1.gz share/doc/lttngd/copyright \
	share/bash-completion/completions/lttngd share/zsh/vendor-completions/_lttngd \
	share/fish/vendor_completions.d/lttngd.fish; do
	[ -s "$root/usr/$file" ] || fail "/usr/$file is missing"
done
if command -v man >/dev/null; then
	pages=$(MANPATH="$root/usr/share/man" man --where 8 lttngd) || fail "man finds no lttngd(8)"
	MANWIDTH=80 man "$pages" | grep -q -e --keep-sockets || fail "lttngd(8) says nothing of --keep-sockets"
else
	echo "deb: the manual pages are not looked at: there is no man"
fi
bash --norc -c '. "$1" && complete -p lttngd' - "$root/usr/share/bash-completion/completions/lttngd" >/dev/null ||
	fail "bash does not take the completions"

# By the name of the stock one, as lttng create and its service start it.
cat >"$work/inside" <<'INSIDE'
set -eu
home=$1 daemon=$2
if [ "$(id -u)" = 0 ]; then
	run=$(realpath /var/run)
	mount -t tmpfs tmpfs "$run"
	mount -t tmpfs tmpfs /dev/shm
	ip link set lo up 2>/dev/null || true
fi
export HOME="$home" LTTNG_HOME="$home"
"$daemon" --background
lttng --no-sessiond create tried --output="$home/trace" >/dev/null
"${daemon%/*}/lttngd" status | grep -q tried
lttng --no-sessiond destroy tried >/dev/null
pid=$(cat "$home/.lttng/lttng-sessiond.pid" 2>/dev/null || cat /var/run/lttng/lttng-sessiond.pid)
kill "$pid"
tries=0
while kill -0 "$pid" 2>/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 300 ]
	sleep 0.1
done
INSIDE
mkdir -p "$work/home/.lttng"
apart=
[ "$(id -u)" != 0 ] || apart="unshare --mount --net"
$apart sh "$work/inside" "$work/home" "$root/usr/bin/lttng-sessiond" || fail "the daemon that was installed does not work"

packages --purge lttngd-sessiond
[ "$(cat "$root/usr/bin/lttng-sessiond")" = stock ] || fail "the daemon of lttng-tools does not come back"
packages --purge lttngd
left=$(find "$root/usr" -type f ! -name lttng-sessiond)
[ -z "$left" ] || fail "left behind: $left"
echo "deb: installed beside and in place of lttng-tools' daemon, started, and removed again"
