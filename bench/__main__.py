"""`make bench`: measure through the REST API and print one table; `--json FILE` keeps the figures as lines.

In one run, side by side: what the broker and the database cost bare, and what we make of them.
"""

from __future__ import annotations

import argparse
import logging
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial

from bench import machine
from bench.bays import measure_bays
from bench.floods import measure_floods
from bench.floor import FLOOR, measure_floor
from bench.lists import measure_lists
from bench.memory import measure_memory
from bench.notifications import measure_notifications
from bench.report import Report
from bench.spike import measure_spike
from bench.synchronizer import measure_synchronizer
from bench.takeover import measure_take_overs
from bench.volumes import WHOLE_16, measure_volumes
from deploy.interrupts import interruptible
from deploy.stack import Stack, stack
from deploy.state import DEFAULT, StartError

QUOTA = {"VOLUME_QUOTA": "-1", "SNAPSHOT_QUOTA": "-1", "GIGABYTE_QUOTA": "-1", "BAY_QUOTA": "1000000"}
QUOTA |= {"ROADSTEAD_RATE_PROJECT": "0", "ROADSTEAD_RATE_LOGIN": "0"}  # one project asks for all
FLOODS, NOTIFICATIONS = "floods", "notifications"
NODES = 3  # where there are to be several

Section = Callable[[Stack, Report], None]


def main() -> int:
    """Run it; return the exit code."""
    options = _options()
    logging.basicConfig(level=logging.ERROR)
    report = Report(machine.described(), options.json)
    wanted = options.only.split(",") if options.only else list(_sections(options))
    if unknown := set(wanted) - set(_sections(options)):
        print(
            f"There is no section {', '.join(sorted(unknown))}: {', '.join(_sections(options))}",
            file=sys.stderr,
        )
        return 2
    with interruptible():
        try:
            for nodes in (1, NODES):
                _measure(report, nodes, [_sections(options)[name].get(nodes) for name in wanted])
            if FLOODS in wanted:
                measure_floods(report, QUOTA)
            if NOTIFICATIONS in wanted:
                measure_notifications(report, options.told, QUOTA)
        except StartError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    report.print()
    _compare(report)
    return 0


def _sections(options: Namespace) -> Mapping[str, Mapping[int, Section]]:
    """Return what is measured, by name, and on how many nodes."""
    waiting = [int(count) for count in options.waiting.split(",")]
    synchronizer = partial(measure_synchronizer, counts=waiting)
    return {
        "floor": {1: partial(measure_floor, count=options.count * 5)},
        "spike": {1: partial(measure_spike, count=options.adds)},
        "volumes": {1: partial(measure_volumes, count=options.count)},
        "bays": {1: partial(measure_bays, count=options.bays)},
        "memory": {1: measure_memory},
        "lists": {1: partial(measure_lists, rows=options.rows, finished=options.finished)},
        "synchronizer": {1: synchronizer, NODES: synchronizer},
        "takeover": {NODES: partial(measure_take_overs, kills=options.kills)},
        FLOODS: {},  # brings installations of its own
        NOTIFICATIONS: {},  # likewise, and a RabbitMQ
    }


def _measure(report: Report, nodes: int, sections: list[Section | None]) -> None:
    if not any(sections):
        return
    with stack(
        nodes,
        state_dir=DEFAULT / "bench",
        env=QUOTA,
        own={"postgres", "valkey", "heat"},
        purpose="make bench",
    ) as running:
        for section in filter(None, sections):
            section(running, report)
        running.manage("check_invariants", "--no-heat")


def _compare(report: Report) -> None:
    floor, whole = report.cpu_of(FLOOR), report.cpu_of(WHOLE_16)
    if floor and whole:
        print(f"\nA volume's creation uses {whole / floor:.1f} times the processor time of its floor.")


def _options() -> Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help="sections, by name, with commas")
    parser.add_argument("--count", type=int, default=400, help="operations of each kind on volumes")
    parser.add_argument("--bays", type=int, default=60, help="bays to be accepted")
    parser.add_argument("--told", type=int, default=40, help="stacks that Heat notifies of, in each row")
    parser.add_argument("--adds", type=int, default=1000, help="tasks in each row of the spike's table")
    parser.add_argument("--kills", type=int, default=200, help="of processes that hold a row")
    parser.add_argument(
        "--waiting", default="100,1000,10000", help="how many bays wait, one number after another"
    )
    parser.add_argument("--rows", type=int, default=100_000, help="volumes in the longest list")
    parser.add_argument(
        "--finished", type=int, default=1_000_000, help="finished rows beside which claims are timed"
    )
    parser.add_argument("--json", help="a file to append the figures to, one JSON object a line")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
