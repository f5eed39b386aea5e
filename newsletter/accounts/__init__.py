"""Operators and how they sign in; the studio's own settings; the audit log."""
