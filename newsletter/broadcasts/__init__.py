"""One email to many readers, now or at a chosen time."""
