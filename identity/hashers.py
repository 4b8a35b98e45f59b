"""How passwords are stored."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id at OWASP's parameters: every command of a client logs in, so one check must stay small.

    Django's own take 100 MiB and eight threads each, which a burst of logins turns into an outage.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
