"""Accepting bays, beside the Heat that makes them."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from bench.load import Client, run
from bench.report import Figure, Report
from bench.volumes import LOOK, PATIENCE, Bench
from deploy.stack import Stack
from deploy.state import StartError

BASE = "/container-infra/v1"
PEER = "Magnum: 3-8/s"
CONCURRENCY = 16
MODEL = {"name": "bench", "coe": "demo", "image_id": "image", "external_network_id": "public"}


def measure_bays(running: Stack, report: Report, count: int) -> None:
    """Measure how fast bays are accepted; Heat makes them meanwhile, and its processor time is not counted."""
    bench = Bench(running)
    client = bench.client()
    model = model_of(client)
    remove(client, [make(client, model) for _ in range(4)])
    before = bench.used(but="heat")
    measured = run(bench.client, [partial(make, model=model)] * count, CONCURRENCY)
    cpu = (bench.used(but="heat") - before) * 1000 / count
    figure = Figure(
        f"bay create accepted, c={CONCURRENCY}",
        measured.rate,
        measured.percentile(0.5) * 1000,
        measured.percentile(0.99) * 1000,
        cpu,
        PEER,
    )
    report.add(figure)
    remove(client, list(measured.answers))


def model_of(client: Client) -> str:
    """Return the id of the cluster template `bench`, made if it is not there."""
    models = client.ask("GET", f"{BASE}/clustertemplates")["clustertemplates"]
    found = next((each["uuid"] for each in models if each["name"] == "bench"), None)
    return str(found or client.ask("POST", f"{BASE}/clustertemplates", MODEL)["uuid"])


def make(client: Client, model: str) -> Any:
    body = {"name": "bench", "cluster_template_id": model, "node_count": 0, "labels": {"boot_seconds": "0"}}
    return client.ask("POST", f"{BASE}/clusters", body)


def remove(client: Client, made: list[Any]) -> None:
    """Delete these bays, and return when there is none any more."""
    for bay in made:
        client.ask("DELETE", f"{BASE}/clusters/{bay['uuid']}")
    end = time.monotonic() + PATIENCE
    while left := client.ask("GET", f"{BASE}/clusters?limit=1")["clusters"]:
        if time.monotonic() > end:
            raise StartError(f"{left[0]['uuid']} was still there after {PATIENCE:.0f} s.")
        time.sleep(LOOK)
