"""A limit and its shares, by a clock of the test's own."""

from __future__ import annotations

from unittest.mock import patch

from django.test import SimpleTestCase, override_settings

from api import rates
from api.rates import Meter, network_of
from lifecycle import local


class MeterTests(SimpleTestCase):
    def setUp(self):
        self.now = 1000.0
        clock = patch("time.monotonic", lambda: self.now)
        clock.start()
        self.addCleanup(clock.stop)
        self.enterContext(override_settings(RATES={"x": (10.0, 100.0)}))
        self.meter = Meter("x")

    def taken(self, meter, times, key="k") -> int:
        return sum(meter.take(key) == 0 for _ in range(times))

    def shared(self, peers):
        peers = patch.object(local, "peers", peers)
        peers.start()
        self.addCleanup(peers.stop)

    def test_it_gives_a_burst_and_then_the_rate(self):
        self.assertEqual(self.taken(self.meter, 1000), 100)
        for _ in range(5):
            self.now += 1
            self.assertEqual(self.taken(self.meter, 1000), 10)
        self.now += 3600
        self.assertEqual(self.taken(self.meter, 1000), 100)

    def test_it_says_when_there_is_one_to_be_had(self):
        self.taken(self.meter, 100)
        wait = self.meter.take("k")
        self.assertAlmostEqual(wait, 0.1)
        self.assertAlmostEqual(self.meter.wait("k"), wait)
        self.now += wait + 1e-6
        self.assertEqual(self.meter.wait("k"), 0)
        self.assertEqual(self.meter.take("k"), 0)
        self.assertGreater(self.meter.take("k"), 0)

    def test_who_is_refused_loses_nothing_by_asking(self):
        self.taken(self.meter, 10_000)
        self.now += 1
        self.assertEqual(self.taken(self.meter, 1000), 10)

    def test_one_keys_flood_is_not_anothers(self):
        self.taken(self.meter, 1000)
        self.assertEqual(self.taken(self.meter, 1000, "other"), 100)

    def test_all_shares_together_are_the_limit(self):
        for peers in (1, 2, 3, 7, 50):
            with self.subTest(peers=peers):
                self.shared(peers)
                meters = [Meter("x") for _ in range(peers)]
                burst = sum(self.taken(meter, 1000) for meter in meters)
                self.assertTrue(100 - peers <= burst <= 100, burst)
                steady = 0
                for _ in range(100):
                    self.now += 1
                    steady += sum(self.taken(meter, 1000) for meter in meters)
                self.assertTrue(1000 - peers <= steady <= 1000 + peers, steady)

    def test_a_process_that_has_gone_leaves_its_share_to_the_others(self):
        self.shared(4)
        meters = [Meter("x") for _ in range(4)]
        for meter in meters:
            self.taken(meter, 1000)
        self.shared(2)
        for meter in meters[:2]:
            self.now += 3600
            self.assertEqual(self.taken(meter, 1000), 50)

    def test_the_smallest_share_still_lets_one_through(self):
        self.shared(5000)
        self.assertEqual(self.taken(self.meter, 10), 1)

    def test_without_the_limit_everything_is_free(self):
        with override_settings(RATES={}):
            self.assertEqual(self.taken(self.meter, 1000), 1000)

    def test_it_remembers_a_bounded_number_of_keys_and_those_in_use_longest(self):
        with patch.object(rates, "MOST", 100):
            self.taken(self.meter, 1000)
            for number in range(1000):
                self.meter.take(f"other {number}")
                if number % 50 == 0:
                    self.now += 0.1
                    self.assertEqual(self.taken(self.meter, 5), 1)
        self.assertEqual(len(self.meter._rested_at), 100)


class NetworkTests(SimpleTestCase):
    def test_neighbours_in_an_ipv6_network_are_counted_together(self):
        self.assertEqual(network_of("2001:db8::1"), network_of("2001:db8::ffff:2"))
        self.assertNotEqual(network_of("2001:db8::1"), network_of("2001:db8:0:1::1"))
        self.assertNotEqual(network_of("192.0.2.1"), network_of("192.0.2.2"))
        self.assertEqual(network_of(""), "")

    def test_an_ipv4_address_is_itself_where_a_socket_serves_both_protocols(self):
        self.assertEqual(network_of("::ffff:192.0.2.1"), network_of("192.0.2.1"))
        self.assertNotEqual(network_of("::ffff:192.0.2.1"), network_of("::ffff:198.51.100.1"))
