"""Proof against crashes: processes are killed at any moment, and the mail server's own log is the judge."""
