from django.apps import AppConfig


class BaysConfig(AppConfig):
    name = "bays"
