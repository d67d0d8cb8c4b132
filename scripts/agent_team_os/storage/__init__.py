"""The only place that changes the disk: create, publish, replace, append, move, lock."""
