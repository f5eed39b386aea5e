"""The next days before they happen: who will get what, when and why."""
