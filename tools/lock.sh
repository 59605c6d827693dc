#!/bin/sh
# Writes requirements.lock (what Plumber runs with, and what builds it), requirements-dev.lock (tests and lint) and the
# server's agent.lock (what an agent runs with: the server hands it out).
# Pinned with hashes for every Python and platform, without any registry's address. `lock.sh --upgrade` takes newer releases.
set -eu
cd "$(dirname "$0")/.."

compile() { # output, then what to compile
	output=$1
	shift
	.venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --output-file "$output" "$@" >/dev/null
}

build=$(mktemp)
agent=$(mktemp)
trap 'rm -f "$build" "$agent"' EXIT
.venv/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' >"$build"
compile requirements.lock pyproject.toml --extra all "$build" "$@"
compile requirements-dev.lock --group dev --constraints requirements.lock "$@"
PYTHONPATH=src .venv/bin/python -c 'from plumber_server.install.packing import NEEDS; print(*NEEDS, sep="\n")' >"$agent"
compile src/plumber_server/install/agent.lock --constraints requirements.lock "$agent"
