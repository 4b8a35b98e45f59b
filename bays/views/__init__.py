"""The routes of /container-infra: parse, one call, render."""
