"""Limits on the public doors, per address of the network."""

from __future__ import annotations

import ipaddress

from flask import Flask, request
from flask_limiter import Limiter
from werkzeug.middleware.proxy_fix import ProxyFix

from newsletter.settings import Settings


def client_ip() -> str:
    """The visitor's IP address; behind proxies the one that TRUSTED_PROXIES says to believe."""
    return request.remote_addr or "unknown"


def network(ip: str) -> str:
    """What a limit counts by: the IPv4 address, or of an IPv6 address the /64 that its owner may number at will."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, ipaddress.IPv4Address):
        return ip
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address.packed[:8] + bytes(8), 64)))


def _client_network() -> str:
    return network(client_ip())


limiter = Limiter(_client_network, headers_enabled=False, strategy="moving-window")


def init(app: Flask, settings: Settings) -> None:
    """Give `app` its limits, shared between machines when the queue is on Redis."""
    shared = settings.queue_url.startswith("redis")
    app.config["RATELIMIT_STORAGE_URI"] = settings.queue_url if shared else "memory://"
    # Without Redis each process counts for itself for a while, instead of answering every visitor with an error.
    app.config["RATELIMIT_IN_MEMORY_FALLBACK_ENABLED"] = shared
    limiter.init_app(app)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
