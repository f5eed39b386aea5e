"""The exercises, by what they are good for."""
