"""What Claude Code calls: one module an event, JSON in, JSON out, on the standard library alone."""
