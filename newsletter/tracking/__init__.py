"""Links in our emails, who pressed them, and which of the presses were programs'."""
