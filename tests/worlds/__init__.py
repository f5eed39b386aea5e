"""Invented worlds: the forecast of thirty days against thirty days really lived, row by row (semantics 3.21)."""
