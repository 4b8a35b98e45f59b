"""What an operator may write about directory back-ends.

A back-end: protocol ("local" or "nfs"), hosts (of local consumers; default this node's own), networks (of NFS clients),
mount_options, chunk_size and copy_rate (bytes, bytes per second and running copy), patience (seconds to wait for a
stale writer to leave). A pool: name, path, create (make the directory a pool when it is none), export (server:/path).
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import socket
from pathlib import Path
from typing import Literal, cast

from volumes.backends.directory.connect import Access
from volumes.backends.directory.copying import Pace
from volumes.backends.directory.pool import Pool, prepare
from volumes.backends.options import Options

log = logging.getLogger(__name__)
EXPORT = re.compile(r"[A-Za-z0-9.:\[\]_-]+:/[^\s,]*")


def access(options: Options) -> Access:
    """Read who may reach the volumes, and how."""
    protocol = options.text("protocol", "local", one_of=("local", "nfs"))
    networks = []
    for text in options.texts("networks", ()):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise options.wrong("networks", f"{error}.") from None
    if protocol == "nfs" and not networks:
        raise options.wrong("networks", "is missing: nobody could reach a volume.")
    return Access(
        cast(Literal["local", "nfs"], protocol),
        frozenset(options.texts("hosts", [socket.gethostname()])),
        tuple(networks),
        options.optional_text("mount_options"),
    )


def pace(options: Options) -> Pace:
    """Read how fast copies go; a copy_rate of 0 is none."""
    chunk = options.whole("chunk_size", Pace.chunk, least=4096)
    return Pace(chunk, options.whole("copy_rate", 0, least=0) or None)


def pool(options: Options, protocol: str) -> Pool:
    """Read one pool, and make it one if `create` says so.

    A storage that is down is no mistake in the file: the verbs will say so.
    """
    name, path = options.text("name"), options.text("path")
    create, export = options.flag("create", default=False), options.optional_text("export")
    options.done()
    if not Path(path).is_absolute():
        raise options.wrong("path", f"{path!r} is not absolute.")
    if protocol == "nfs" and (export is None or not EXPORT.fullmatch(export)):
        raise options.wrong("export", "must be server:/path for NFS clients.")
    if create:
        try:
            prepare(path)
        except FileExistsError as error:
            raise options.wrong("path", f"{error}.") from None
        except OSError as error:
            log.warning("pool %s could not be made: %s", name, error)
    return Pool(name, os.path.normpath(path), export.rstrip("/") if export else None)
