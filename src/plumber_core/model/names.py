"""Which names are possible, and which would steer programs instead of carrying a value."""

from __future__ import annotations

import re

MAX_NAME = 200
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}", re.ASCII)
RESERVED_PREFIX = "PLUMBER_"
"""Variables that the runner sets itself."""

_STEERING = re.compile(
    r"(?:LD_|DYLD_|_RLD|PYTHON|PERL|GIT_|BASH_FUNC_|MALLOC_|SYSTEMD_|PIP_|NPM_CONFIG_|npm_config_).*"
    r"|PATH|CDPATH|FPATH|ENV|IFS|PS4|BASH_ENV|BASHOPTS|SHELLOPTS|PROMPT_COMMAND|ZDOTDIR|HOME|USER|LOGNAME|SHELL|TMPDIR"
    r"|NODE_OPTIONS|NODE_PATH|RUBYOPT|RUBYLIB|CLASSPATH|_JAVA_OPTIONS|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS"
    r"|LUA_INIT|LUA_PATH|LUA_CPATH|PHPRC|PHP_INI_SCAN_DIR|GLIBC_TUNABLES|GCONV_PATH|GETCONF_DIR|LOCPATH|NLSPATH"
    r"|HOSTALIASES|RESOLV_HOST_CONF|LOCALDOMAIN|RES_OPTIONS|EDITOR|VISUAL|PAGER|BROWSER|SSH_ASKPASS|SUDO_ASKPASS"
    r"|TERMINFO|OPENSSL_CONF|OPENSSL_MODULES|MAKEFLAGS"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_name(text: str) -> bool:
    """Say whether ``text`` can name a task or a step: one visible line, any script."""
    return 0 < len(text) <= MAX_NAME and text == text.strip() and not _CONTROL.search(text)


def is_identifier(text: str) -> bool:
    """Say whether ``text`` can name an environment variable."""
    return IDENTIFIER.fullmatch(text) is not None


def is_reserved(name: str) -> bool:
    """Say whether the runner sets this variable itself."""
    return name.upper().startswith(RESERVED_PREFIX)


def steers_programs(name: str) -> bool:
    """Say whether a variable of this name changes what interpreters, loaders or tools do."""
    return is_reserved(name) or _STEERING.fullmatch(name) is not None


def is_text(value: str) -> bool:
    """Say whether ``value`` can live in a database, in JSON and in an environment: no NUL, no lone surrogate."""
    return not re.search("[\x00\ud800-\udfff]", value)
