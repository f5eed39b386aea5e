"""The wire: SMTP as bytes in and out (replies, handshake, envelope, wire), with connections on top (exchange)."""
