"""What a resume would do, as the API shows it: pure functions."""

from __future__ import annotations

import difflib
from collections import Counter

from plumber_core.engine.resume import Resumption
from plumber_core.model.records import RevisionRow
from plumber_core.model.resume_views import ResumeHost, ResumePreview, ResumeStep
from plumber_core.planning.rounds import left_out, touched, unknown

MOST_HOSTS = 200


def preview(resumption: Resumption) -> ResumePreview:
    """Show what a resume would touch."""
    whole, plan, laid = resumption.whole, resumption.plan, resumption.laid
    places, maybe = touched(whole.cells, laid), unknown(whole.cells, laid)
    by_step = Counter(step for step, _ in laid.anew)
    hosts = sorted(places.hosts.keys() | places.passed.keys(), key=lambda host: plan.hosts.get(host, host))
    before, newest = resumption.before, resumption.newest
    other = before is not None and newest is not None and before.number != newest.number
    return ResumePreview(
        execution=whole.execution.id,
        state=whole.execution.state,
        round=resumption.round,
        revision=plan.revision,
        newest=newest.number if newest is not None and other else None,
        diff=difference(plan.task, before, newest) if before and newest and other else "",
        steps=[ResumeStep(index=index, name=plan.steps[index].name, hosts=by_step[index]) for index in sorted(by_step)],
        steps_total=len(laid.anew),
        hosts=[
            ResumeHost(
                id=host,
                name=plan.hosts.get(host, host),
                steps=list(places.hosts.get(host, ())),
                passed=list(places.passed.get(host, ())),
                unknown=maybe[host],
            )
            for host in hosts[:MOST_HOSTS]
        ],
        hosts_total=len(hosts),
        kept=len(whole.cells) - len(laid.anew) - len(laid.passed),
        left_out=len(left_out(plan, whole.cells, laid)),
    )


def difference(task: str, before: RevisionRow, after: RevisionRow) -> str:
    """Return a unified diff of two revisions' sources."""
    lines = difflib.unified_diff(
        before.source.splitlines(keepends=True),
        after.source.splitlines(keepends=True),
        f"{task} revision {before.number}",
        f"{task} revision {after.number}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
