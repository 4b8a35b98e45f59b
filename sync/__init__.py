"""The periodic synchronizer: jobs that every node runs and that together cost what one node's would.

There is no leader. A job takes a slice of rows (FOR UPDATE SKIP LOCKED, and their next time moved on), commits,
and only then works; what another node has taken is skipped. A job that runs twice, late, or on every node at
once does the same work once.
"""
