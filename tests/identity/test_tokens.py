import base64
import threading
from datetime import UTC, datetime, timedelta
from unittest import mock

from django.core.signing import Signer
from django.db import transaction
from django.test import override_settings

from identity import tokens
from identity.models import Assignment, RevokedToken, Role
from tests.identity.base import DoorCase


class CheckTests(DoorCase):
    def setUp(self):
        super().setUp()
        self.text = tokens.issue(self.bob, self.blue.pk)

    def test_it_tells_the_caller_and_implied_roles(self):
        caller = self.good(self.text).caller
        self.assertEqual((caller.user_name, caller.project_name), ("bob", "blue"))
        self.assertEqual(caller.roles, {"member", "reader"})
        self.assertFalse(caller.is_admin)
        self.assertTrue(self.good(tokens.issue(self.alice, self.blue.pk)).caller.is_admin)

    def test_it_carries_no_role_and_no_password(self):
        payload = self.text.split(".")[0]
        said = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
        self.assertNotIn("member", said)
        self.assertNotIn(self.bob.password, said)
        self.assertLess(len(self.text), 400)

    def test_it_refuses_what_was_not_signed_here(self):
        payload, signature = self.text.rsplit(".", 1)
        other = tokens.issue(self.alice, self.blue.pk).split(".")[0]
        forged = [
            "",
            ".",
            "x",
            "é.\x00",
            payload,
            f"{payload}.",
            f"{other}.{signature}",
            f"{payload}.{signature}=",
            f"{payload}.{signature[:-1]}",
            self.text.swapcase(),
            self.text + "A" * 2000,
        ]
        for text in forged:
            with self.subTest(text=text[:40]), self.assertNumQueries(0):
                self.assertIsNone(tokens.check(text))

    def test_it_refuses_a_token_of_another_release(self):
        payload = tokens._signer.unsign_object(self.text)
        for other in (payload[:-1], [*payload, "more"]):
            self.assertIsNone(tokens.check(tokens._signer.sign_object(other)))

    def test_it_refuses_a_token_signed_with_another_secret(self):
        stranger = Signer(key="another", salt="identity.tokens", sep=".")
        payload = tokens._signer.unsign_object(self.text)
        self.assertIsNone(tokens.check(stranger.sign_object(payload)))

    @override_settings(TOKEN_LIFETIME=0)
    def test_it_refuses_an_expired_token(self):
        self.assertIsNone(tokens.check(tokens.issue(self.bob, self.blue.pk)))

    def test_it_refuses_an_expired_token_that_it_still_remembers(self):
        with override_settings(TOKEN_LIFETIME=60):
            text = tokens.issue(self.bob, self.blue.pk)
        checked = self.good(text)
        past = tokens.Token(**{**vars(checked.token), "expires": 1})
        tokens._cache.put(text, tokens.Checked(past, checked.caller), tokens._cache.era)
        self.assertIsNone(tokens.check(text))

    def test_it_refuses_when_the_world_has_changed(self):
        def new_password():
            self.bob.set_password("another password")
            self.bob.save()

        changes = {
            "password changed": new_password,
            "user inactive": lambda: type(self.bob).objects.filter(pk=self.bob.pk).update(is_active=False),
            "user deleted": lambda: type(self.bob).objects.filter(pk=self.bob.pk).delete(),
            "project disabled": lambda: type(self.blue).objects.filter(pk=self.blue.pk).update(enabled=False),
            "project deleted": lambda: type(self.blue).objects.filter(pk=self.blue.pk).delete(),
            "role taken": lambda: Assignment.objects.filter(user=self.bob).delete(),
        }
        for name, change in changes.items():
            with self.subTest(name):
                self.bob.refresh_from_db()
                text = tokens.issue(self.bob, self.blue.pk)
                self.assertIsNotNone(tokens.check(text))
                before = transaction.savepoint()
                change()
                tokens.forget()
                self.assertIsNone(tokens.check(text))
                transaction.savepoint_rollback(before)

    def test_it_follows_a_role_that_was_given_later(self):
        Assignment.objects.create(user=self.bob, project=self.blue, role=Role.ADMIN)
        self.assertTrue(self.good(self.text).caller.is_admin)

    def test_it_takes_a_revoked_token_back_at_once(self):
        kept = tokens.issue(self.bob, self.blue.pk)
        tokens.revoke(self.text, self.good(self.text).token)
        self.assertIsNone(tokens.check(self.text))
        self.assertIsNotNone(tokens.check(kept))
        tokens.forget()
        self.assertIsNone(tokens.check(self.text))

    def test_it_drops_revocations_that_outlived_their_token(self):
        old = datetime.now(UTC) - timedelta(hours=1)
        RevokedToken.objects.create(audit_id="old", expires_at=old)
        token = self.good(self.text).token
        tokens.revoke(self.text, token)
        tokens.revoke(self.text, token)
        self.assertEqual([row.pk for row in RevokedToken.objects.all()], [token.audit_ids[0]])


class CacheTests(DoorCase):
    def test_it_costs_one_statement_and_then_none(self):
        text = tokens.issue(self.bob, self.blue.pk)
        with self.assertNumQueries(1):
            tokens.check(text)
        with self.assertNumQueries(0):
            for _ in range(100):
                self.assertIsNotNone(tokens.check(text))

    def test_it_forgets_one_user_or_one_project_and_keeps_the_others(self):
        bobs, carols = (tokens.issue(user, self.blue.pk) for user in (self.bob, self.carol))
        for about, statements in ((self.bob.pk, 1), (self.blue.pk, 2), (self.red.pk, 0), (None, 2)):
            tokens.check(bobs)
            tokens.check(carols)
            tokens.forget(about)
            with self.subTest(about=about), self.assertNumQueries(statements):
                tokens.check(bobs)
                tokens.check(carols)

    def test_it_keeps_nothing_of_a_look_that_was_overtaken_by_a_change(self):
        def take_role(token):
            Assignment.objects.filter(user_id=token.user_id).delete()
            tokens.forget(token.user_id)

        look_up, carols = tokens._look_up, tokens.issue(self.carol, self.blue.pk)
        for user, change in (
            (self.bob, take_role),
            (self.carol, lambda token: tokens.revoke(carols, token)),
        ):
            text = tokens.issue(user, self.blue.pk) if user is self.bob else carols

            def slow(token, change=change):
                caller = look_up(token)
                change(token)
                return caller

            with self.subTest(user=user.username):
                with mock.patch.object(tokens, "_look_up", slow):
                    tokens.check(text)
                self.assertIsNone(tokens.check(text))

    @override_settings(TOKEN_CACHE_SECONDS=0)
    def test_it_asks_again_when_its_time_is_up(self):
        text = tokens.issue(self.bob, self.blue.pk)
        tokens.check(text)
        Assignment.objects.all().delete()
        self.assertIsNone(tokens.check(text))

    @override_settings(TOKEN_CACHE_SIZE=3)
    def test_it_is_bounded_and_keeps_what_is_used(self):
        used = tokens.issue(self.bob, self.blue.pk)
        tokens.check(used)
        with self.assertNumQueries(10):  # one for each new token, none for the used one
            for _ in range(10):
                tokens.check(tokens.issue(self.bob, self.blue.pk))
                tokens.check(used)
        self.assertEqual(len(tokens._cache._held), 3)

    @override_settings(TOKEN_CACHE_SIZE=5)
    def test_it_bears_many_threads(self):
        checked = self.good(tokens.issue(self.bob, self.blue.pk))
        failures = []

        def hammer(number):
            try:
                for turn in range(500):
                    tokens._cache.put(f"{number}-{turn % 7}", checked, tokens._cache.era)
                    tokens._cache.get(f"{(number + 1) % 4}-{turn % 7}")
                    tokens._cache.drop(f"{number}-{turn % 3}")
                    tokens.forget("somebody else")
            except Exception as exc:  # noqa: BLE001 (whatever it is, the test must see it)
                failures.append(exc)

        threads = [threading.Thread(target=hammer, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertLessEqual(len(tokens._cache._held), 5)
