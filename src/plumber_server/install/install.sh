#!/bin/sh
# Installs Plumber's agent on this machine, or upgrades it in place, and starts it:
#
#   curl -fsSL http://SERVER/install.sh | PLUMBER_ENROLL_TOKEN=... sh -s http://SERVER [OPTIONS]
#
# `wget -qO-` does as well as `curl -fsSL`. Everything comes from that server and is checked by its SHA-256; what the
# server has no wheel of comes from this machine's own package index, checked by SHA-256 too. This text is the same for
# everybody: the one-time token comes by the environment alone. Running it again upgrades: agent.json is kept, commands
# go on. `sh -s http://SERVER --help` lists the options.
set -eu

main() {
	case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in zh*) chinese=yes ;; *) chinese= ;; esac
	token=${PLUMBER_ENROLL_TOKEN:-}
	unset PLUMBER_ENROLL_TOKEN
	read_options "$@"
	[ "$(uname -s)" = Linux ] || stop "Plumber's agent runs on Linux, not on $(uname -s)." "Plumber 节点程序只能在 Linux 上运行，不支持 $(uname -s)。"
	find_python
	mkdir -p "$dir/versions" && dir=$(cd "$dir" && pwd -P) || stop "$dir cannot be made. Run this as root, or choose another place with --dir." "无法创建 $dir。请以 root 执行，或用 --dir 指定其他位置。"
	new=$(mktemp -d "$dir/.new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	trap 'exit 130' INT TERM HUP
	fetch
	install
	take_identity
	start
	drop_old_versions
}

usage() {
	say "Usage: sh -s http://SERVER [OPTIONS]
  --dir DIR        where everything goes (root: /opt/plumber-agent, others: ~/.local/share/plumber-agent)
  --name NAME      the agent's name, when the token does not say it (default: this host's name)
  --workdir DIR    where steps run that name no path (default: DIR/work)
  --state-dir DIR  journal and logs (default: the agent's own, by user and agent id)
  --unit-dir DIR   where the systemd unit goes (default: /etc/systemd/system)
  --new            become a new agent: the old agent.json is kept as agent.json.old
  --no-start       install only
PLUMBER_ENROLL_TOKEN holds the one-time token, PYTHON names a Python to use." "用法：sh -s http://服务器 [选项]
  --dir 目录        安装位置（root：/opt/plumber-agent，其他用户：~/.local/share/plumber-agent）
  --name 名称       节点名称，令牌未指定时使用（默认：主机名）
  --workdir 目录    未写 path 的步骤在此执行（默认：安装目录下的 work）
  --state-dir 目录  日志与运行记录（默认：由节点程序按用户和节点 ID 决定）
  --unit-dir 目录   systemd 单元的位置（默认：/etc/systemd/system）
  --new             注册为新节点：原 agent.json 保留为 agent.json.old
  --no-start        只安装，不启动
PLUMBER_ENROLL_TOKEN 为一次性令牌，PYTHON 可指定要使用的 Python。"
}

say() { # English, Chinese
	if [ "$chinese" ]; then printf '%s\n' "$2"; else printf '%s\n' "$1"; fi
}

stop() { # English, Chinese: what happened and what to do
	say "$@" >&2
	exit 1
}

read_options() {
	server= name= workdir= state=${PLUMBER_AGENT_STATE_DIR:-} units=/etc/systemd/system fresh= wanted=yes
	if [ "$(id -u)" = 0 ]; then dir=/opt/plumber-agent; else dir=${XDG_DATA_HOME:-${HOME:-.}/.local/share}/plumber-agent; fi
	dir=${PLUMBER_AGENT_DIR:-$dir}
	while [ $# -gt 0 ]; do
		case $1 in
		--help | -h) usage && exit 0 ;;
		--new) fresh=yes ;;
		--no-start) wanted= ;;
		--dir | --name | --workdir | --state-dir | --unit-dir)
			[ $# -gt 1 ] || stop "$1 needs a value." "$1 需要一个值。"
			set_option "$1" "$2"
			shift
			;;
		http://?* | https://?*) server=${1%/} ;;
		*) stop "$1 is neither an option nor a server's address; see --help." "$1 不是选项，也不是服务器地址；请看 --help。" ;;
		esac
		shift
	done
	[ "$server" ] || stop "The server's address is missing: sh -s http://SERVER" "缺少服务器地址：sh -s http://服务器"
}

set_option() {
	case $1 in
	--dir) dir=$2 ;;
	--name) name=$2 ;;
	--workdir) workdir=$2 ;;
	--state-dir) state=$2 ;;
	--unit-dir) units=$2 ;;
	esac
}

find_python() {
	for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
		if command -v "$python" >/dev/null 2>&1 && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 </dev/null; then
			"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 </dev/null && return
			lacks=$python
		fi
	done
	[ -z "${lacks:-}" ] || stop "$lacks lacks its venv module. Install it (Debian, Ubuntu: apt-get install python3-venv), then paste the line again." "$lacks 缺少 venv 模块。请先安装（Debian、Ubuntu：apt-get install python3-venv），然后重新粘贴这一行。"
	stop "Plumber's agent needs Python 3.11 or newer, with venv, and found none. Install one (Debian, Ubuntu: apt-get install python3-venv; Red Hat: dnf install python3.12), then paste the line again." "Plumber 节点程序需要 Python 3.11 或更新版本（含 venv），但没有找到。请先安装（Debian、Ubuntu：apt-get install python3-venv；Red Hat：dnf install python3.12），然后重新粘贴这一行。"
}

fetch() { # what the server has for this Python and machine, into $new: each file is what the manifest says, or none
	version=$(
		"$python" - "$server/install" "$new" <<'END'
import hashlib, platform, re, sys, urllib.request

base, folder = sys.argv[1:]
python, machine = "cp%d%d-" % sys.version_info[:2], platform.machine()


def get(name):
    with urllib.request.urlopen(base + "/" + name, timeout=120) as answer:
        return answer.read()


def fits(name):
    compiled = (python in name or "-abi3-" in name) and machine in name
    return name == "agent.lock" or name.endswith("-none-any.whl") or name.endswith(".whl") and compiled


try:
    manifest = get("SHA256SUMS")
    for line in manifest.decode().splitlines():
        digest, name = line.split()
        if not re.fullmatch(r"[\w.+-]+", name):
            sys.exit("SHA256SUMS: " + name)
        if fits(name):
            data = get(name.replace("+", "%2B"))
            if hashlib.sha256(data).hexdigest() != digest:
                sys.exit(name + ": SHA-256 " + hashlib.sha256(data).hexdigest() + " != " + digest)
            with open(folder + "/" + name, "wb") as file:
                file.write(data)
    ours = re.search(r"plumber_fleet-([^-]+)-", manifest.decode())
    print(ours[1] + "-" + hashlib.sha256(manifest + python.encode()).hexdigest()[:8])
except (OSError, ValueError) as error:
    sys.exit(base + ": " + str(error))
END
	) || stop "The agent could not be fetched from $server: see above. Nothing was changed." "无法从 $server 获取节点程序，见上。未做任何更改。"
}

install() { # each version stands in a folder of its own: commands that an older one started go on undisturbed
	place=$dir/versions/$version
	if [ -e "$place/.complete" ] && "$place/bin/plumber-agent" --version >/dev/null 2>&1 </dev/null; then
		say "Plumber's agent ${version%%+*} is installed already in $dir." "Plumber 节点程序 ${version%%+*} 已安装在 $dir。"
	else
		say "Installing Plumber's agent ${version%%+*} in $dir ..." "正在安装 Plumber 节点程序 ${version%%+*} 到 $dir ……"
		rm -rf "$place"
		"$python" -m venv "$place" </dev/null || stop "$python could not make a virtual environment: see above." "$python 无法创建虚拟环境，见上。"
		install_wheels
		: >"$place/.complete"
	fi
	ln -sfn "versions/$version" "$dir/.current" && mv -fT "$dir/.current" "$dir/current"
	agent=$dir/current/bin/plumber-agent
}

pip() {
	"$place/bin/python" -m pip --disable-pip-version-check --no-input --quiet "$@" >>"$new/pip.log" 2>&1 </dev/null
}

install_wheels() {
	pip --isolated install --no-index --find-links "$new" "plumber-fleet==${version%-*}" && return
	say "The server has no wheels that fit this Python and machine: the rest comes from this machine's package index ..." "服务器没有适合本机 Python 和架构的 wheel：其余的从本机的软件包源获取……"
	pip install --require-hashes -r "$new/agent.lock" &&
		pip --isolated install --no-index --no-deps --find-links "$new" "plumber-fleet==${version%-*}" && return
	tail -n 15 "$new/pip.log" >&2
	wheels="plumber-server wheels DIR --python $("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') --machine $(uname -m)"
	stop "Installing failed: see above. If no package index can be reached here, run this where the server runs, and start it with PLUMBER_WHEELS=DIR: $wheels" "安装失败，见上。如果本机无法访问软件包源，请在服务器所在机器上执行下面的命令，并以 PLUMBER_WHEELS=DIR 启动它：$wheels"
}

take_identity() {
	config=$dir/agent.json
	[ -z "$fresh" ] || [ ! -e "$config" ] || mv -f "$config" "$config.old"
	if [ -e "$config" ]; then
		[ -z "$token" ] || say "Kept: $config. The token was not used; --new makes a new agent of this machine." "已保留 $config，令牌未使用；加 --new 可注册为新节点。"
	elif [ "$token" ]; then
		PLUMBER_ENROLL_TOKEN=$token "$agent" --enroll "$server" --name "${name:-$(uname -n | tr '[:upper:]' '[:lower:]')}" --config "$config" </dev/null || exit 1
	fi
	token=
}

start() {
	workdir=${workdir:-$dir/work}
	mkdir -p "$workdir"
	set -- "$agent" --config "$config" --workdir "$workdir"
	[ -z "$state" ] || set -- "$@" --state-dir "$state"
	if [ ! -e "$config" ]; then
		say "Installed, without an identity: paste a line with a token, or put an agent.json at $config and run: $*" "已安装，但还没有身份：请粘贴带令牌的一行，或把 agent.json 放到 $config，然后执行：$*"
	elif [ -z "$wanted" ]; then
		say "Installed. To start it: $*" "已安装。启动命令：$*"
	elif [ "$(id -u)" = 0 ] && command -v systemctl >/dev/null 2>&1 && systemctl show --property=Version >/dev/null 2>&1 </dev/null; then
		start_service "$@"
	else
		start_here "$@"
	fi
}

start_service() { # under systemd: it comes back after a restart of the machine
	service=$(basename "$dir").service
	if [ -e "$units/$service" ]; then
		say "Kept: $units/$service" "已保留：$units/$service"
	else
		"$@" --print-unit </dev/null >"$new/unit" && mv "$new/unit" "$units/$service" && chmod 644 "$units/$service"
	fi
	{ systemctl daemon-reload && systemctl enable --quiet "$service" && systemctl restart "$service"; } </dev/null ||
		stop "systemd did not start it: see above, and journalctl -u $service" "systemd 未能启动它，见上，以及 journalctl -u $service"
	say "Started as $service. Its log: journalctl -u $service" "已作为 $service 启动。日志：journalctl -u $service"
}

start_here() { # without systemd: in the background, until this machine is restarted
	stop_link
	log=$dir/agent.log
	[ ! -e "$log" ] || mv -f "$log" "$log.old"
	if command -v setsid >/dev/null 2>&1; then setsid "$@" >"$log" 2>&1 </dev/null & else nohup "$@" >"$log" 2>&1 </dev/null & fi
	link=$!
	echo "$link" >"$dir/agent.pid"
	await_connection
	say "It runs in the background (process $link, log $log), and not after a restart of this machine. To start it then: $*" "它在后台运行（进程 $link，日志 $log），机器重启后不会自动启动。届时执行：$*"
}

stop_link() { # only the link of this folder; commands and their supervisor go on
	old=$(cat "$dir/agent.pid" 2>/dev/null) || return 0
	cat "/proc/$old/cmdline" 2>/dev/null | tr '\0' '\n' | grep -qxF -- "$config" || return 0
	kill "$old" 2>/dev/null || return 0
	waited=0
	while kill -0 "$old" 2>/dev/null && [ $waited -lt 20 ]; do
		sleep 1
		waited=$((waited + 1))
	done
}

await_connection() {
	waited=0
	while [ $waited -lt 30 ]; do
		if grep -q 'Connected as' "$log"; then
			known=$(sed -n 's/.*Connected as \(.*\) (.*/\1/p' "$log" | head -n 1)
			say "Connected to $server as $known." "已作为 $known 连接到 $server。"
			return
		fi
		kill -0 "$link" 2>/dev/null || { cat "$log" >&2 && stop "The agent ended: see above." "节点程序已退出，见上。"; }
		sleep 1
		waited=$((waited + 1))
	done
	say "Not connected to $server yet; it goes on trying." "尚未连接到 $server，它会继续尝试。"
}

drop_old_versions() { # but those that a process still works from
	for old in "$dir"/versions/*; do
		[ "$old" = "$dir/versions/$version" ] && continue
		cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -qF -- "$old/" || rm -rf "$old"
	done
}

main "$@"
