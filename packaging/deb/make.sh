#!/bin/sh
# Makes the Debian packages of a daemon that is built already, and nothing else; see try.sh for what becomes of them.
#
#   packaging/deb/make.sh [DAEMON [DIRECTORY]]
#
# DAEMON is the program (default: target/release/lttngd), DIRECTORY where the packages go (default: target/debian).
#
#   lttngd           the daemon, its units, manual pages and completions, beside whatever lttng-tools has
#   lttngd-sessiond  /usr/bin/lttng-sessiond is lttngd; that of lttng-tools is put aside as long as this is installed

set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
daemon=${1:-$root/target/release/lttngd}
out=${2:-$root/target/debian}

fail() {
	echo "deb: $*" >&2
	exit 1
}

for need in dpkg-deb:dpkg strip:binutils objdump:binutils gzip:gzip; do
	command -v "${need%%:*}" >/dev/null || fail "${need%%:*} is missing: apt-get install ${need#*:}"
done
[ -x "$daemon" ] || fail "no daemon at $daemon: run 'cargo build --release' or 'make deb'"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
main=$work/lttngd
place=$work/lttngd-sessiond

mkdir -p "$main/usr/bin"
strip -o "$main/usr/bin/lttngd" "$daemon"
chmod 755 "$main/usr/bin/lttngd"
program=$main/usr/bin/lttngd

version=$("$program" --version | cut -d ' ' -f 2)
revision=$(git -C "$root" show -s --format=%cd+%h --date=format:%Y%m%d HEAD 2>/dev/null || echo 0)
version=$version+$revision-1
# So that packages of the same sources are the same.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" show -s --format=%ct HEAD 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
architecture=$(dpkg --print-architecture)
libc=$(objdump -T "$program" | sed -n 's/.*(\?GLIBC_\([0-9.]*\).*/\1/p' | sort -uV | tail -n 1)
[ -n "$libc" ] || fail "$daemon needs no version of the C library"

for of in system user; do
	install -D -m 644 "$here/../systemd/$of/lttngd.service" "$main/usr/lib/systemd/$of/lttngd.service"
done

manual() {
	page=$main/usr/share/man/man${1##*.}/$1.gz
	mkdir -p "${page%/*}"
	shift
	"$program" man "$@" | gzip -9n >"$page"
}
manual lttngd.8
for word in status apply diff get delete export schema; do
	manual "lttngd-$word.1" "$word"
done

completions() {
	mkdir -p "$main/usr/share/$(dirname "$2")"
	"$program" completions "$1" >"$main/usr/share/$2"
}
completions bash bash-completion/completions/lttngd
completions zsh zsh/vendor-completions/_lttngd
completions fish fish/vendor_completions.d/lttngd.fish

for package in lttngd lttngd-sessiond; do
	doc=$work/$package/usr/share/doc/$package
	mkdir -p "$doc" "$work/$package/DEBIAN"
	{
		echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
		echo
		echo "Files: *"
		sed -n 's/^Copyright (c) /Copyright: /p' "$root/LICENSE"
		echo "License: MIT"
		sed -e '1,/^Copyright/d' -e 's/^$/./' -e 's/^/ /' "$root/LICENSE" | sed '1{/^ \.$/d}'
	} >"$doc/copyright"
	{
		echo "lttngd ($version) unstable; urgency=medium"
		echo
		echo "  * Made from the sources of this version."
		echo
		echo " -- lttngd <lttngd@localhost>  $(date -R -u -d "@$SOURCE_DATE_EPOCH")"
	} | gzip -9n >"$doc/changelog.Debian.gz"
done
install -m 644 "$root/docs/status.schema.json" "$root/docs/document.schema.json" "$main/usr/share/doc/lttngd/"

mkdir -p "$place/usr/bin"
ln -s lttngd "$place/usr/bin/lttng-sessiond"

control() {
	size=$(du -k -s --apparent-size "$work/$1/usr" | cut -f 1)
	{
		echo "Package: $1"
		echo "Version: $version"
		echo "Architecture: $architecture"
		echo "Maintainer: lttngd <lttngd@localhost>"
		echo "Installed-Size: $size"
		echo "Section: utils"
		echo "Priority: optional"
		cat
	} >"$work/$1/DEBIAN/control"
	(cd "$work/$1" && find usr -type f -exec md5sum {} +) >"$work/$1/DEBIAN/md5sums"
	for script in "$here/$1."*; do
		[ -e "$script" ] || continue
		install -m 755 "$script" "$work/$1/DEBIAN/${script##*.}"
	done
}

control lttngd <<CONTROL
Depends: libc6 (>= $libc), libgcc-s1
Recommends: lttng-tools (>= 2.13)
Suggests: babeltrace2, bash-completion
Description: session daemon for LTTng on the actor model
 It takes the place of lttng-sessiond of lttng-tools: the lttng command line,
 applications traced with LTTng-UST, lttng-relayd and babeltrace2 work with it
 unchanged. Clients are served side by side, and no application, client or
 relay daemon that stands still holds up others.
 .
 It is installed beside the daemon of lttng-tools; lttngd-sessiond puts it in
 the place of that.
CONTROL
control lttngd-sessiond <<CONTROL
Depends: lttngd (= $version), lttng-tools
Description: lttngd in the place of lttng-sessiond
 Makes /usr/bin/lttng-sessiond a link to lttngd, so that whatever starts a
 session daemon starts that: lttng create, and the service lttng-sessiond. The
 daemon of lttng-tools is put aside as long as this package is installed.
CONTROL

mkdir -p "$out"
for package in lttngd lttngd-sessiond; do
	dpkg-deb --root-owner-group --build "$work/$package" "$out/${package}_${version}_$architecture.deb" >/dev/null
	echo "$out/${package}_${version}_$architecture.deb"
done
