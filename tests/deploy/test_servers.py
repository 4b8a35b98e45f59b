"""The embedded servers, really started: they answer, keep their data, and come back after kill -9."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import psycopg2
import redis
from django.test import SimpleTestCase

from deploy import account, postgres
from deploy.servers import Servers, servers
from deploy.state import StartError, State
from tests.deploy.programs import eventually

OWN = {"postgres", "valkey"}


class ServersTests(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = State(Path(folder.name) / "state")
        self.addCleanup(account.remove_home, self.state)
        output = redirect_stdout(StringIO())
        output.__enter__()
        self.addCleanup(output.__exit__, None, None, None)

    def test_it_keeps_data_port_and_password_across_restarts(self):
        with servers(self.state, OWN, own=OWN) as first:
            self.query(first, "CREATE TABLE kept (); SELECT 1")
        with servers(self.state, OWN, own=OWN) as second:
            self.assertEqual(first.env, second.env)
            self.assertEqual(self.query(second, "SELECT to_regclass('kept')::text"), "kept")
            self.assertEqual(self.query(second, "SHOW fsync"), "on")

    def test_it_brings_a_killed_postgresql_back_with_its_data(self):
        with servers(self.state, OWN, own=OWN) as running:
            self.query(running, "CREATE TABLE kept (); SELECT 1")
            killed = running.pids()["postgres"]
            with self.assertLogs("deploy.supervise", "WARNING"):
                os.kill(killed, signal.SIGKILL)
                self.assertTrue(eventually(lambda: running.pids().get("postgres", killed) != killed))
                self.assertTrue(eventually(lambda: self.answers(running)))
            self.assertEqual(self.query(running, "SELECT to_regclass('kept')::text"), "kept")

    def test_it_lets_nobody_in_without_the_password(self):
        with servers(self.state, OWN, own=OWN) as running:
            database, broker = running.env["DATABASE_URL"] or "", running.env["BROKER_URL"] or ""
            with self.assertRaisesRegex(psycopg2.OperationalError, "password"):
                psycopg2.connect(database.replace(self.state.secret("postgres"), "wrong"))
            with self.assertRaises(redis.AuthenticationError):
                redis.Redis.from_url(broker.replace(self.state.secret("valkey"), "")).ping()
            self.assertTrue(redis.Redis.from_url(broker).ping())
            values = self.state.path / "values.json"
            self.assertEqual(values.stat().st_mode & 0o077, 0)

    def test_it_starts_although_the_old_pid_is_now_a_strangers(self):
        with servers(self.state, OWN, own=OWN) as running:
            lock = Path(self.query(running, "SHOW data_directory")) / "postmaster.pid"
            old = lock.read_text()
        user = account.account()
        # Of the same user as the server, which takes the pid of another's process for free.
        stranger = subprocess.Popen(["sleep", "600"], user=user[0] if user else None)
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        lock.write_text(f"{stranger.pid}\n{old.partition(chr(10))[2]}")
        if user:
            os.chown(lock, *user)
        with servers(self.state, OWN, own=OWN) as running:
            self.assertTrue(self.answers(running))

    def test_it_moves_to_another_port_when_its_own_was_taken(self):
        port = self.state.port("valkey")
        with socket.create_server(("127.0.0.1", port)), servers(self.state, {"valkey"}, own=OWN) as running:
            self.assertNotIn(str(port), running.env["BROKER_URL"] or "")
            self.assertTrue(redis.Redis.from_url(running.env["BROKER_URL"] or "").ping())

    def test_it_starts_nothing_that_the_environment_names(self):
        for name in ("DATABASE_URL", "BROKER_URL", "OS_ENDPOINT"):
            previous = os.environ.get(name)
            os.environ[name] = "named"
            self.addCleanup(_restore, name, previous)
        with servers(self.state) as running:
            self.assertEqual((running.pids(), running.env), ({}, {}))

    def test_it_begins_an_interrupted_initialisation_anew(self):
        home = account.home(self.state)
        (home / "data.new").mkdir()
        (home / "data.new" / "PG_VERSION").write_text("half")
        server = postgres.prepare(self.state)
        self.assertEqual((server.data / "PG_VERSION").read_text(), "18\n")

    def test_it_refuses_a_state_directory_in_use(self):
        refused = self.assertRaisesRegex(StartError, f"make up .pid {os.getpid()}")
        with self.state.lock("make up"), refused, State(self.state.path).lock("make test"):
            self.fail("one state directory was held twice")

    def query(self, running: Servers, statement: str) -> str:
        connection = psycopg2.connect(running.env["DATABASE_URL"])
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return str(next(cursor)[0])
        finally:
            connection.close()

    def answers(self, running: Servers) -> bool:
        try:
            self.query(running, "SELECT 1")
        except psycopg2.OperationalError:
            return False
        return True


def _restore(name: str, value: str | None) -> None:
    if value is None:
        del os.environ[name]
    else:
        os.environ[name] = value
