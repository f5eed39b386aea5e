"""The front door: the WSGI application `app:app`."""

from newsletter.application import create_app

app = create_app()
