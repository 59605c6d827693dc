#!/bin/sh
# Installs what tests use: network namespaces, packet filters, system call injection, another clock, an LDAP server.
# Without root, or where it cannot be installed, those tests are skipped and say so.
set -eu

missing() {
	for pair in ip:iproute2 tc:iproute2 ss:iproute2 nft:nftables strace:strace faketime:faketime flock:util-linux openssl:openssl slapd:slapd; do
		PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null 2>&1 || echo "${pair##*:}"
	done | sort -u
}

packages=$(missing)
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "Installing" $packages "..."
	export DEBIAN_FRONTEND=noninteractive
	# Tests start an LDAP server of their own: the package's must not begin to listen on this machine.
	echo "slapd slapd/no_configuration boolean true" | debconf-set-selections 2>/dev/null || true
	{ apt-get -qq update && apt-get -qq install -y --no-install-recommends $packages; } >/dev/null 2>&1 </dev/null || true
fi
packages=$(missing)
[ -z "$packages" ] || echo "Some tests of faults will be skipped: install" $packages "to run them."
