"""`make bench`: measure volumes through the REST API and print one table; `--json FILE` keeps the figures as lines."""

from __future__ import annotations

import argparse
import logging
import sys

from bench import machine
from bench.lists import measure_lists
from bench.report import Report
from bench.volumes import measure_volumes
from deploy.interrupts import interruptible
from deploy.stack import stack
from deploy.state import DEFAULT, StartError

QUOTA = {"VOLUME_QUOTA": "-1", "SNAPSHOT_QUOTA": "-1", "GIGABYTE_QUOTA": "-1"}


def main() -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="operations of each kind")
    parser.add_argument("--rows", type=int, default=100_000, help="volumes in the longest list")
    parser.add_argument(
        "--finished", type=int, default=1_000_000, help="finished rows beside which claims are timed"
    )
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--json", help="a file to append the figures to, one JSON object a line")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    report = Report(machine.described(), options.json)
    with interruptible():
        try:
            with stack(
                options.nodes,
                state_dir=DEFAULT / "bench",
                env=QUOTA,
                own={"postgres", "valkey", "heat"},
                purpose="make bench",
            ) as running:
                measure_volumes(running, report, options.count)
                measure_lists(running, report, options.rows, options.finished)
                running.manage("check_invariants", "--no-heat")
        except StartError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    report.print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
