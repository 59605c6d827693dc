"""``plumber-agent``: the program that links this server to a control plane."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import sys
from argparse import Namespace
from pathlib import Path

from plumber_agent.address import ServerAddress
from plumber_agent.config import parse_arguments
from plumber_agent.identity import AgentIdentity
from plumber_agent.settings import plugin_table
from plumber_core.errors import AgentCopied, AgentRefused, LinkBusy, MissingExtra, PlumberError, StartupError
from plumber_core.locales import preferred_language, translate
from plumber_core.model.limits import AGENT_SLOTS

FAILED, MISCONFIGURED = 1, 78
"""Exit codes; 78 (EX_CONFIG) tells a service manager that starting again does not help."""
log = logging.getLogger("plumber.agent")


def main(arguments: list[str] | None = None) -> int:
    """Run the agent until a signal stops it; return the exit code."""
    options = parse_arguments(arguments)
    _log_to_stderr(verbose=options.verbose)
    try:
        if options.action == "check-unit":
            return _check_unit(options)
        if options.print_unit:
            return _print_unit(options)
        if options.enroll:
            return _enroll(options)
        asyncio.run(_run(options))
    except PlumberError as error:
        return _complain(error)
    except KeyboardInterrupt:
        return 130
    return 0


def _complain(error: PlumberError) -> int:
    language = preferred_language()
    parts = (error.explain(language), error.advise(language))
    sys.stderr.write(f"plumber-agent: {' '.join(part for part in parts if part)}\n")
    if isinstance(error, LinkBusy):
        return FAILED
    return MISCONFIGURED if isinstance(error, (AgentRefused, AgentCopied, MissingExtra, StartupError)) else FAILED


def _log_to_stderr(*, verbose: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
    )
    logging.getLogger("plumber").setLevel(logging.DEBUG if verbose else logging.INFO)


def _print_unit(options: Namespace) -> int:
    from plumber_agent.service import unit_text

    sys.stdout.write(unit_text(options.config, options.workdir, _unit_options(options)))
    return 0


def _unit_options(options: Namespace) -> list[str]:
    """Return what else was asked for on the command line or in the environment, which a service does not see."""
    found = ["--state-dir", str(options.state_dir.absolute())] if options.state_dir else []
    found += ["--settings", str(options.settings.absolute())] if options.settings else []
    if options.slots != AGENT_SLOTS:
        found += ["--slots", str(options.slots)]
    found += [part for key, value in options.label for part in ("--label", f"{key}={value}")]
    if options.drain:
        found += ["--drain", f"{options.drain:g}"]
    return [*found, *(["--kill"] if options.kill else [])]


def _check_unit(options: Namespace) -> int:
    from plumber_agent.service.linter import check_unit

    findings, language = check_unit(*options.files), preferred_language()
    for finding in findings:
        sys.stderr.write(f"plumber-agent: {finding.explain(language)}\n")
    return FAILED if findings else 0


def _enroll(options: Namespace) -> int:
    from plumber_agent.enroll import enroll

    identity = enroll(options.enroll, options.name, options.config, options.token_env)
    sentence = translate("Enrolled ({id}); written to {path}.", preferred_language())
    sys.stdout.write(sentence.format(id=identity.id, path=options.config) + "\n")
    return 0


async def _run(options: Namespace) -> None:
    """Link this server until a signal comes.

    Raises: PlumberError.
    """
    from plumber_agent.connect import AnyServer, Connector
    from plumber_core.protocol.peer import Refused
    from plumber_core.runner.acceptance import Room
    from plumber_core.runner.describe import describe_executors
    from plumber_core.runner.facts import collect_facts, measure_load
    from plumber_core.runner.loop import AgentLoop
    from plumber_core.runner.session_chain import SessionChain
    from plumber_core.runner.supervision import SupervisorClient

    identity = AgentIdentity.read(options.config)
    plugins = plugin_table(options.settings, options.config)
    addresses = ServerAddress.parse_all(identity.server_addr)
    servers = ", ".join(map(str, addresses))
    folder = (options.state_dir or identity.state_dir()).absolute()
    for address in addresses:
        _warn_if_plain(address)
    loop = AgentLoop(
        functools.partial(SupervisorClient.attach, folder),
        AnyServer([Connector(address, identity.token) for address in addresses]),
        SessionChain(folder),
        workdir=_workdir(options.workdir),
        slots=options.slots,
        facts=collect_facts(addresses[0].host) | dict(options.label),
        plugins=plugins,
        describe=functools.partial(describe_executors, plugins),
        room=Room(folder),
        load=measure_load,
    )
    stop = functools.partial(loop.stop, kill=options.kill, drain=options.drain)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    log.info("Process %d; state in %s; server %s.", os.getpid(), folder, servers)
    try:
        await loop.run()
    except Refused:
        raise AgentRefused(url=servers) from None


def _workdir(path: Path) -> Path:
    workdir = path.absolute()
    if not workdir.is_dir():
        raise StartupError(reason=f"--workdir {workdir} is not a folder")
    return workdir


def _warn_if_plain(address: ServerAddress) -> None:
    if not address.secure and not address.loopback:
        log.warning("%s is plain HTTP: whoever is on the way can read and change what is run here.", address)


if __name__ == "__main__":
    raise SystemExit(main())
