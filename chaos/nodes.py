"""Nodes as the harness knows them: which process each of them has, and whether it is up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from chaos.processes import children_of, tree
from deploy import ready
from deploy.supervise import Child, Supervisor

LAYOUT = {
    "node1": "api,worker,beat",
    "node2": "api,worker,beat",
    "node3": "api,worker,beat",
    "node4": "worker",
}


@dataclass
class Node:
    """`manage.py runnode` under a supervisor of the harness, which restarts it when it dies."""

    name: str
    port: int | None  # of its API, if it has one
    child: Child
    supervisor: Supervisor
    pid_file: Path
    told: (
        Path | None
    )  # what its processes take their clock and the storage's pace from, where that can be had

    @property
    def roles(self) -> list[str]:
        return LAYOUT[self.name].split(",")

    def pids(self) -> dict[str, int]:
        """Return the pid of each of its processes that runs, by role: supervisor, api, worker, beat."""
        if self.child.pid is None:
            return {}
        try:
            told: dict[str, int] = json.loads(self.pid_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            told = {}
        living = set(children_of(self.child.pid))  # the file may be of an earlier life
        return {"supervisor": self.child.pid, **{role: pid for role, pid in told.items() if pid in living}}

    def everything(self) -> list[int]:
        """Return every pid of the node, parents first."""
        return tree(self.child.pid) if self.child.pid is not None else []

    def is_up(self) -> bool:
        """Tell whether all its processes run, and its API answers."""
        up = {"supervisor", *self.roles} <= self.pids().keys()
        return up and (self.port is None or ready.answers(self.port, "/healthz"))
