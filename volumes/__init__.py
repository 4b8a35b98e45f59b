"""Block volumes: Cinder's resources, served by any node that reaches the storage."""
