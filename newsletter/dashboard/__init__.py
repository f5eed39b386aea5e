"""The overview: figures from everywhere."""
