"""What the system costs and how fast it is: one command, one table, beside what was measured of its peer.

`make bench` brings up a stack of its own and measures through the REST API; nothing here judges, and no test runs it.
"""
