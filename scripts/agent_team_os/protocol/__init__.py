"""The protocol as pure functions and plain documents: ids, messages, the agent map, threads, paths.

Nothing here writes to the disk or knows about locks; nothing here needs a package.
"""
