"""Telemetry: the tokens and dollars of every request, read from the transcripts of Claude Code."""
