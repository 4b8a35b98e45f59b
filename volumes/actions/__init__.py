"""What a user may ask of volumes and what belongs to them. Each verb is one transaction; bells ring after it."""
