"""The identity application: users, projects, roles and the tokens that prove them."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Register the application under its own name."""

    name = "identity"
    verbose_name = "Identity"
