#!/bin/sh
# The page: `web.sh dev` installs what it is made with and a browser for tests, `web.sh build` builds it too, and
# `web.sh demo` builds it where Node.js is there and says so where it is not. A second run with nothing changed ends
# at once.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-build}
page=src/plumber_web/frontend
modules=$page/node_modules/.plumber-setup
dist=src/plumber_web/dist/index.html
built=$page/node_modules/.plumber-built
export npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false

stop() { # what happened and what to do
	printf '%s\n' "$1" >&2
	exit 1
}

has_node() { # vite needs 20.19 or newer
	command -v npm >/dev/null 2>&1 &&
		node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

need_node() {
	has_node || stop "The page is built with Node.js 20.19 or newer and npm, and neither was found. Install them (https://nodejs.org), then try again."
}

install_modules() {
	wanted=$(cat $page/package-lock.json $page/package.json | cksum)
	[ -f $modules ] && [ "$(cat $modules)" = "$wanted" ] && return
	echo "Installing the page's packages ..."
	(cd $page && npm ci --loglevel=error >/dev/null) || stop "Installing failed: see above. Is the package registry reachable? Then try again."
	printf '%s' "$wanted" >$modules
}

sources() { # what the built page depends on
	find $page/src $page/index.html $page/vite.config.ts $page/package-lock.json -type f | LC_ALL=C sort | xargs cat | cksum
}

build() {
	wanted=$(sources)
	[ -f $dist ] && [ -f $built ] && [ "$(cat $built)" = "$wanted" ] && return
	echo "Building the page ..."
	(cd $page && npm run --silent build) || stop "Building the page failed: see above."
	printf '%s' "$wanted" >$built
}

ensure_browser() {
	for name in chromium chromium-browser google-chrome; do
		command -v $name >/dev/null 2>&1 && return
	done
	hint="The tests of the page need Chromium (Debian, Ubuntu: apt-get install chromium fonts-noto-cjk). Install it, then try again."
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || stop "$hint"
	echo "Installing chromium ..."
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-noto-cjk; } >/dev/null 2>&1 </dev/null || stop "$hint"
}

case $kind in
dev)
	need_node
	install_modules
	ensure_browser
	;;
build)
	need_node
	install_modules
	build
	;;
demo)
	if has_node; then
		install_modules
		build
	else
		echo "Node.js 20.19 or newer was not found: the server shows a plain page instead of the web page."
	fi
	;;
*) stop "web.sh takes dev, build or demo." ;;
esac
