"""Telemetry: what the sessions cost, from the transcripts that Claude Code keeps."""
