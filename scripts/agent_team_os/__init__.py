"""Agent Team OS: a post office for coding sessions, over plain files."""

__version__ = "2.0.0"
