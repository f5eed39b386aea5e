"""How a visitor becomes a subscriber, and how a subscriber changes or ends it."""
