#!/bin/sh
# An executor in any language: `describe` says what it takes, `run` reads {"params": {...}} and does it.
# Put it, executable, into the folder that PLUMBER_PLUGIN_FOLDER names where the agent runs.
set -eu
case "$1" in
describe)
	cat <<-'JSON'
		{
		  "summary": "Fails when a folder's disk is fuller than it may be.",
		  "schema": {
		    "type": "object",
		    "properties": {
		      "path": {"type": "string", "description": "a folder on the disk"},
		      "most": {"type": "integer", "minimum": 1, "maximum": 100, "default": 90, "description": "percent"}
		    },
		    "required": ["path"],
		    "additionalProperties": false
		  }
		}
	JSON
	;;
run)
	given=$(cat)
	path=$(printf '%s' "$given" | sed -n 's/.*"path": *"\([^"]*\)".*/\1/p')
	most=$(printf '%s' "$given" | sed -n 's/.*"most": *\([0-9]*\).*/\1/p')
	used=$(df -P "$path" | awk 'NR == 2 { sub("%", "", $5); print $5 }')
	echo "$path is $used % full"
	echo "used=$used" >>"$PLUMBER_OUTPUT"
	[ "$used" -le "${most:-90}" ]
	;;
esac
