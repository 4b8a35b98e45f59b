"""Volumes as sparse raw files in directories that the nodes share: a local disk, NFS, CephFS."""
