"""The floor under all our figures: what the broker and the database cost for the same messages and commits."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg2

from bench.machine import processor_seconds
from bench.report import Figure, Report, percentile
from bench.workers import Workers, publishing, told, workers
from deploy.stack import Stack

FLOOR = "the floor: a no-op task and three commits"
COMMITS = 3  # of an operation: it is accepted, claimed, and its outcome is written
THREADS = 16


def measure_floor(running: Stack, report: Report, count: int) -> None:
    """Measure no-op tasks, one at a time and in a stream, and bare commits."""
    told(running)
    with workers(running, 1, concurrency=4) as pool:
        _rounds(pool, 50)
        latencies = _rounds(pool, min(count, 400))
        alone = len(latencies) / sum(latencies)
        report.add(Figure("Celery no-op, one at a time", alone, *_both(latencies)))
        tasks = _stream(running, pool, count, report)
    commits = _commits(running, count, report)
    report.add(Figure(FLOOR, cpu_ms=tasks + COMMITS * commits))


def _rounds(pool: Workers, count: int) -> list[float]:
    tasks, latencies = publishing(), []
    pool.begin()
    for number in range(count):
        began = time.monotonic_ns()
        tasks.noop.delay(number)
        latencies.append((pool.await_done(number + 1)[number] - began) / 1e9)
    return latencies


def _stream(running: Stack, pool: Workers, count: int, report: Report) -> float:
    """Return the processor time (ms) of one, the publisher's included."""
    tasks = publishing()
    pool.begin()
    servers = [running.pids()[name] for name in running.servers.pids()]
    used, own = sum(processor_seconds([*pool.pids(), *servers]).values()), time.process_time()
    published = {}
    for number in range(count):
        published[number] = time.monotonic_ns()
        tasks.noop.delay(number)
    own = time.process_time() - own
    done = pool.await_done(count)
    used = sum(processor_seconds([*pool.pids(), *servers]).values()) - used
    latencies = [(done[number] - published[number]) / 1e9 for number in published]
    rate = count / ((max(done.values()) - published[0]) / 1e9)
    cpu = (used + own) * 1000 / count
    report.add(Figure("Celery no-op, in a stream", rate, *_both(latencies), cpu))
    return cpu


def _commits(running: Stack, count: int, report: Report) -> float:
    """Return the processor time (ms) of one commit of a one-row update."""
    with psycopg2.connect(running.env["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_floor")
        cursor.execute("CREATE TABLE bench_floor (id integer PRIMARY KEY, n integer NOT NULL)")
        cursor.execute("INSERT INTO bench_floor SELECT n, 0 FROM generate_series(1, %s) AS n", [THREADS])
    connection.close()
    latencies: list[float] = []
    server = [running.pids()["postgres"]]
    gate = threading.Barrier(THREADS + 1)
    threads = [
        threading.Thread(target=_update, args=(running, number, count // THREADS, latencies, gate))
        for number in range(1, THREADS + 1)
    ]
    for thread in threads:
        thread.start()
    gate.wait()
    used, own, began = sum(processor_seconds(server).values()), time.process_time(), time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    cpu = sum(processor_seconds(server).values()) - used + time.process_time() - own
    cpu = cpu * 1000 / len(latencies)
    report.add(Figure(f"bare SQL commit, c={THREADS}", len(latencies) / seconds, *_both(latencies), cpu))
    return cpu


def _update(running: Stack, number: int, times: int, latencies: list[float], gate: Any) -> None:
    connection = psycopg2.connect(running.env["DATABASE_URL"])
    with connection.cursor() as cursor:
        gate.wait()
        for _ in range(times):
            began = time.perf_counter()
            cursor.execute("UPDATE bench_floor SET n = n + 1 WHERE id = %s", [number])
            connection.commit()
            latencies.append(time.perf_counter() - began)
    connection.close()


def _both(latencies: list[float]) -> tuple[float, float]:
    return percentile(latencies, 0.5) * 1000, percentile(latencies, 0.99) * 1000
