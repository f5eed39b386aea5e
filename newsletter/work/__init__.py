"""Background work: claims on rows, the Huey queue, heartbeats."""
