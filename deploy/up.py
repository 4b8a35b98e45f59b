"""`make up`: servers and nodes in the foreground until Ctrl-C."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable

from deploy import named
from deploy.interrupts import interruptible, wait_for_interrupt
from deploy.stack import Stack, stack
from deploy.state import DEFAULT, StartError

LOG_FORMAT = "%(asctime)s %(message)s"


def main() -> int:
    """Run until a signal; return the exit code."""
    return foreground("make up", __doc__, identity=named.identity)


def foreground(
    command: str,
    description: str | None,
    first: Callable[[Stack], None] = lambda _: None,
    identity: Callable[[], str] = lambda: "own",
) -> int:
    """Bring everything up, do what comes first, and stay up until a signal; return the exit code."""
    parser = argparse.ArgumentParser(prog=command, description=description)
    parser.add_argument(
        "--nodes", type=_at_least_one, default=1, help="whole nodes: API, worker and beat each"
    )
    parser.add_argument("--port", type=int, help="of the first API; 8000 unless taken")
    parser.add_argument("--leave", action="store_true", help="stop instead of staying up")
    options = parser.parse_args()
    logging.basicConfig(format=LOG_FORMAT, datefmt="%H:%M:%S", level=logging.ERROR)
    with interruptible():
        try:
            chosen = identity()
            # Each has its own: what belongs to the projects of one is nobody's for the other.
            place = DEFAULT / chosen if chosen == "keystone" else DEFAULT
            with stack(
                options.nodes, state_dir=place, port=options.port, identity=chosen, purpose=command
            ) as running:
                first(running)
                print(summary(running), flush=True)
                if not options.leave:
                    wait_for_interrupt()
                    print("\nStopping; Ctrl-C again kills at once.", flush=True)
        except StartError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return 130
    return 0


def summary(running: Stack) -> str:
    """Return where everything is and how to go on, for a terminal."""
    path = running.state.path
    place = path.relative_to(DEFAULT.parent) if path.is_relative_to(DEFAULT) else path
    cloud = running.servers.cloud
    keystone = f"\n  keystone {cloud.auth_url}   tokens, users and projects are there" if cloud else ""
    apis = "\n".join(f"  node{n:<4} {url}" for n, url in enumerate(running.urls, 1))
    return f"""
Roadstead is up.
{apis}
  admin    {running.urls[0]}/admin/   user admin, password {running.passwords["admin"]}{keystone}
  logs     {place}/log/

Go on with the OpenStack client (pip install python-openstackclient python-magnumclient):
  . {place}/openrc            # user demo; `. {place}/openrc admin` for admin
  openstack coe cluster template list
  openstack coe cluster list
  openstack volume list

Ctrl-C stops all of it.
"""


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
