"""What is measured besides latency."""

from collections.abc import Awaitable, Callable

from bench.counts import count_path
from bench.footprint import measure_agent
from bench.idle import measure_idle
from bench.output import measure_output
from bench.plumber_side import PlumberSystem
from bench.report import Report
from bench.stamps import Stamps
from bench.throughput import measure_throughput

Topic = Callable[[Report, PlumberSystem, Stamps], Awaitable[None]]

TOPICS: dict[str, Topic] = {
    # First: after hard work the database tidies up for minutes.
    "idle": measure_idle,
    "counts": count_path,
    "throughput": measure_throughput,
    "output": measure_output,
    "agent": measure_agent,
}
