from __future__ import annotations

import shutil
import unittest

from tests.backends import filesystems
from volumes.backends.base import Unavailable
from volumes.backends.directory.driver import DirectoryBackend
from volumes.backends.registry import Configured, load

POOL = '[[backends.fast.pools]]\nname = "a"\npath = "{base}/a"\n'


class RegistryTests(unittest.TestCase):
    def setUp(self) -> None:
        self.base = filesystems.scratch()
        self.addCleanup(shutil.rmtree, self.base)

    def load(self, text: str) -> dict[str, Configured]:
        file = self.base / "backends.toml"
        file.write_text(text.replace("{base}", str(self.base)))
        return load(file)

    def test_it_reads_what_an_operator_says(self) -> None:
        loaded = self.load(
            '[backends.fast]\navailability_zone = "z1"\nover_provisioning = 3\nreserved_percentage = 5\n'
            'capabilities = { tier = "ssd", online = true }\nhosts = ["h1"]\ncopy_rate = 1000000\n'
            f"{POOL}create = true\n"
            '[backends.slow]\ndriver = "volumes.backends.directory.driver.DirectoryBackend"\n'
            '[[backends.slow.pools]]\nname = "a"\npath = "{base}/b"\n'
        )
        self.assertEqual(list(loaded), ["fast", "slow"])
        fast, slow = loaded.values()
        self.assertEqual(
            (fast.availability_zone, fast.over_provisioning, fast.reserved_percentage), ("z1", 3, 5)
        )
        self.assertEqual(fast.capabilities, {"tier": "ssd", "online": True})
        self.assertEqual((slow.availability_zone, slow.over_provisioning), (None, 20))
        self.assertIsInstance(slow.backend, DirectoryBackend)
        self.assertEqual((fast.backend.name, list(fast.backend.pools())), ("fast", ["a"]))
        self.assertEqual(fast.backend.stats()[0].provisioned, 0)

    def test_only_create_makes_a_directory_a_pool(self) -> None:
        backend = self.load(f"[backends.fast]\n{POOL}")["fast"].backend
        for _ in range(2):
            with self.assertRaises(Unavailable):
                backend.stats()
            (self.base / "a").mkdir(exist_ok=True)
        self.assertEqual(list((self.base / "a").iterdir()), [])

    def test_create_takes_no_directory_with_other_things_in_it(self) -> None:
        (self.base / "a").mkdir()
        (self.base / "a" / "letters").touch()
        with self.assertRaisesRegex(ValueError, "'fast': pool 'a': path: .*letters"):
            self.load(f"[backends.fast]\n{POOL}create = true\n")

    def test_an_empty_file_is_no_backends(self) -> None:
        self.assertEqual(self.load(""), {})

    def test_every_mistake_is_told_with_backend_and_key(self) -> None:
        fast, nfs = "[backends.fast]\n", '[backends.fast]\nprotocol = "nfs"\nnetworks = ["10.0.0.0/8"]\n'
        mistakes = {
            "= 3": "backends.toml",
            'other = "x"': "unknown key 'other'",
            "backends = 3": "backends: 3 is not a table",
            "[backends]\nfast = 3": "'fast': is no table",
            fast: "'fast': pools: needs at least one table",
            f"{fast}colour = 1\n{POOL}": "'fast': unknown key 'colour'",
            f"{fast}driver = 'no.such.Driver'\n{POOL}": "'fast': driver: No module",
            f"{fast}driver = 'os.path'\n{POOL}": "'fast': driver",
            f"{fast}over_provisioning = -1\n{POOL}": "'fast': over_provisioning",
            f"{fast}over_provisioning = nan\n{POOL}": "'fast': over_provisioning",
            f"{fast}over_provisioning = true\n{POOL}": "'fast': over_provisioning: True is not a number",
            f"{fast}reserved_percentage = 101\n{POOL}": "'fast': reserved_percentage",
            f"{fast}reserved_percentage = 1.5\n{POOL}": "'fast': reserved_percentage",
            f"{fast}availability_zone = ''\n{POOL}": "'fast': availability_zone: is empty",
            f"{fast}capabilities = {{ a = [1] }}\n{POOL}": r"'fast': capabilities\.a",
            f"{fast}chunk_size = 1\n{POOL}": "'fast': chunk_size",
            f"{fast}copy_rate = -1\n{POOL}": "'fast': copy_rate",
            f"{fast}hosts = [1]\n{POOL}": "'fast': hosts",
            f"{fast}protocol = 'smoke'\n{POOL}": "'fast': protocol: 'smoke' is none of local, nfs",
            f"{fast}protocol = 'nfs'\n{POOL}": "'fast': networks: is missing",
            f"{nfs}{POOL}": "'fast': pool 'a': export",
            f"{nfs}{POOL}export = 'server'": "'fast': pool 'a': export",
            f"{fast}networks = ['10.0.0.1/8']\n{POOL}": "'fast': networks: 10.0.0.1/8 has host bits set",
            f"{fast}{POOL}size = 3": "'fast': pool 'a': unknown key 'size'",
            f"{fast}{POOL}create = 'yes'": "'fast': pool 'a': create: 'yes' is not true or false",
            f"{fast}[[backends.fast.pools]]\nname = 'a'": "'fast': pool 'a': path: is missing",
            f"{fast}[[backends.fast.pools]]\nname = 'a'\npath = 'x/y'": "'fast': pool 'a': path: 'x/y' is not absolute",
            f"{fast}{POOL}{POOL}": "path: .* is used by .*'fast', pool 'a'|two are named",
            f"{fast}{POOL}{POOL}".replace(
                '"a"', '"b"', 1
            ): "is used by backend 'fast', pool 'b' and by backend 'fast'",
            f"{fast}{POOL}{POOL}".replace("/a", "/b", 1): "'fast': pools: two are named 'a'",
        }
        for name in ("a@b", "a#b", "a/b", "a b", "", "-a", "x" * 64):
            mistakes[f'[backends."{name}"]\n'] = "a name has letters"
            mistakes[f"{fast}[[backends.fast.pools]]\nname = '{name}'\npath = '/x'"] = "'fast': pools: name"
        for text, said in mistakes.items():
            with self.subTest(text), self.assertRaisesRegex(ValueError, said):
                self.load(text)

    def test_a_missing_file_is_told(self) -> None:
        with self.assertRaisesRegex(ValueError, "No such file"):
            load(self.base / "nothing.toml")
