"""Series of emails that follow each other at a chosen pace, and who is where in them."""
