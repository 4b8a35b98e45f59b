"""`make chaos`: real processes under load, faults from a seed, a verdict; exit code 0 only if nothing was harmed."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
from pathlib import Path

from bench import machine
from chaos import faults, report
from chaos.figures import Run, Span, refusals, summary
from chaos.ground import BROKERS, Ground, ground
from chaos.harms import HARMS, plant
from chaos.history import read_calls, read_faults
from chaos.run import Wish, keep, run
from chaos.verdict import judge
from deploy.interrupts import interruptible, wait_for_interrupt
from deploy.state import DEFAULT, StartError, State

HOME = DEFAULT / "chaos"
SHORT = {"duration": 30.0, "clean": 6.0}  # about a minute and a half in all, the start included
LONG = {"duration": 300.0, "clean": 20.0}


def main() -> int:
    """Run it; return the exit code: 0 well, 1 something was harmed, 2 the harness itself failed."""
    options = _options()
    logging.basicConfig(level=logging.ERROR)
    wish = Wish(
        duration=options.duration,
        clean=options.clean,
        seed=options.seed,
        broker=options.broker,
        kinds=options.kinds,
        rate=options.rate,
        calls=options.calls,
        clients=options.clients,
        patience=options.patience,
    )
    home = options.home / f"{wish.seed}-{wish.broker}"
    with interruptible():
        try:
            with ground(State(options.home / "ground"), wish.broker) as stands:
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir()
                stands.look()
                logging.getLogger("deploy").setLevel(logging.ERROR)  # that processes die is no news here
                code = _judged(stands, wish, home, options)
                if options.keep:
                    print(f"It stays up until Ctrl-C: {', '.join(stands.urls)}", flush=True)
                    wait_for_interrupt()
                return code
        except StartError as error:
            print(f"\n{error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return 130


def _judged(stands: Ground, wish: Wish, home: Path, options: argparse.Namespace) -> int:
    """Carry the run out, judge it and report."""
    phases = run(stands, wish, home)
    for harm in plant(stands, options.plant) if options.plant else ():
        print(f"planted {harm}", flush=True)
    calls, struck = read_calls(home / "history.jsonl"), read_faults(home / "faults.jsonl")
    found = Run(
        seed=wish.seed,
        broker=wish.broker,
        command=_command(options),
        machine=machine.described(),
        clean=Span(phases.clean, phases.faults),
        struck=Span(phases.faults, phases.quiet),
        quiet=Span(phases.quiet, phases.ended),
        calls=calls,
        faults=struck,
        verdict=judge(stands, calls, struck, phases.stuck),
        refusals=refusals(stands.state.directory("nodes").glob("*.log")),
    )
    keep(stands, home)
    said = report.text(found)
    print(f"\n{said}", flush=True)
    (home / "report.txt").write_text(said)
    (home / "report.html").write_text(report.html(found))
    line = json.dumps(summary(found), default=str)
    (home / "summary.json").write_text(f"{line}\n")
    if options.json:
        with options.json.open("a") as file:
            file.write(f"{line}\n")
    print(f"All of it: {home}", *(f"harness: {error}" for error in phases.errors), sep="\n", flush=True)
    return 1 if not found.verdict.ok else 2 if phases.errors else 0


def _command(options: argparse.Namespace) -> str:
    """Return what repeats the run."""
    said = f"make chaos DURATION={options.duration:g} SEED={options.seed} BROKER={options.broker}"
    arguments = f"--clean {options.clean:g} --rate {options.rate:g} --calls {options.calls:g}"
    return f'{said} FAULTS={options.faults} ARGS="{arguments} --clients {options.clients}"'


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--duration", type=float, help="seconds of faults (300)")
    parser.add_argument("--clean", type=float, help="seconds of load before them (20)")
    parser.add_argument("--seed", type=int, default=1, help="of the load and of the plan")
    parser.add_argument("--broker", choices=BROKERS, default="redis")
    parser.add_argument("--faults", default="all", help="; ".join(faults.GROUPS))
    parser.add_argument("--rate", type=float, default=0.5, help="strikes a second")
    parser.add_argument("--calls", type=float, default=30.0, help="of the load, a second")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument(
        "--patience", type=float, default=180.0, help="seconds of quiet until busy means stuck"
    )
    parser.add_argument("--json", type=Path, help="a file to append the summary to, one JSON object a line")
    parser.add_argument("--home", type=Path, default=HOME, help=f"where all of it is kept ({HOME})")
    parser.add_argument(
        "--plant", help=f"do harm by hand before the verdict, which must see it: {', '.join(HARMS)}"
    )
    parser.add_argument("--keep", action="store_true", help="stay up after the verdict, to be looked at")
    parser.add_argument("--short", action="store_true", help="about a minute and a half, for every change")
    options = parser.parse_args()
    try:
        options.kinds = faults.chosen(options.faults)
    except ValueError as error:
        parser.error(str(error))
    for name, value in (SHORT if options.short else LONG).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


if __name__ == "__main__":
    sys.exit(main())
