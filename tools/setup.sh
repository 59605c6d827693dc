#!/bin/sh
# Makes .venv: `setup.sh runtime` for what `make demo` needs, `setup.sh dev` for tests and lint too.
# A second run with nothing changed ends at once. PYTHON=... chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-dev}
stamp=.venv/.plumber-setup

stop() { # what happened, what to do
	printf '%s\n' "$1" >&2
	exit 1
}

wanted() { # what the stamp says when .venv fits this checkout
	printf '%s %s\n' "$PWD" "$(cat requirements.lock requirements-dev.lock pyproject.toml | cksum)"
}

is_current() {
	[ -x .venv/bin/python ] && [ -f "$stamp-$1" ] && [ "$(cat "$stamp-$1")" = "$(wanted)" ]
}

fits() { # is this a Python that Plumber runs on?
	command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
	for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
		if fits "$candidate"; then
			command -v "$candidate"
			return
		fi
	done
	stop "Plumber needs Python 3.11 or newer, and found none. Install one, or name it: make PYTHON=/path/to/python3.12 ..."
}

ensure_venv() { # Debian packs the module that makes environments apart
	"$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
	package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
	hint="$1 cannot make virtual environments. Install its venv module (Debian, Ubuntu: apt-get install $package), then try again."
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || stop "$hint"
	echo "Installing $package ..."
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get -qq update && apt-get -qq install -y "$package"; } >/dev/null 2>&1 </dev/null || stop "$hint"
	"$1" -c 'import ensurepip, venv' >/dev/null 2>&1 || stop "$hint"
}

make_venv() {
	python=$(find_python)
	ensure_venv "$python"
	"$python" -m venv --clear .venv
}

has_venv() { # a moved checkout or a removed interpreter leaves one that cannot be used
	fits .venv/bin/python && [ -x .venv/bin/pip ] && grep -q "$PWD/.venv" .venv/bin/pip
}

install() {
	pip=".venv/bin/python -m pip --quiet --quiet --disable-pip-version-check --no-input"
	$pip install --require-hashes "$@" && $pip install --no-deps --no-build-isolation --editable . ||
		stop "Installing failed: see above. Is the package registry reachable? Then try again."
}

[ "$(uname -s)" = Linux ] || stop "Plumber is developed on Linux; $(uname -s) is not supported here. Use a Linux machine, container or WSL."
is_current "$kind" && exit 0
[ "$kind" = runtime ] && is_current dev && exit 0
echo "Setting up .venv ..."
has_venv || make_venv
if [ "$kind" = dev ]; then
	install -r requirements.lock -r requirements-dev.lock
else
	install -r requirements.lock
fi
wanted >"$stamp-$kind"
