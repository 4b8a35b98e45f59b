"""Keystone's routes."""
