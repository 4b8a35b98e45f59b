"""Request bodies that no route can take, whatever it asks for."""

from __future__ import annotations

NO_OBJECT = (
    b"{",
    b"nonsense",
    b"\xff\xfe",
    b"[" * 100_000,
    b"{} {}",
    b"",
    b"null",
    b"1",
    b'"text"',
    b"true",
    b"[]",
    b"[[]]",
    "{}".encode("utf-16"),
)
