"""Sign-up forms and the attempts that the guards count."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.database.base import Base
from newsletter.signup.rules import ConsentMode


class Form(Base):
    """A way in: which gift, which sequence, which words."""

    __tablename__ = "forms"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    magnet_id: Mapped[int | None] = mapped_column(ForeignKey("magnets.id", ondelete="SET NULL"))
    sequence_id: Mapped[int | None] = mapped_column(ForeignKey("sequences.id", ondelete="SET NULL"))
    tag: Mapped[str] = mapped_column(String(80), default="")
    mode: Mapped[str] = mapped_column(String(12), default=ConsentMode.SUBSCRIBE)
    button: Mapped[str] = mapped_column(String(80))
    wording: Mapped[str] = mapped_column(Text)  # what the person agrees to, word for word
    box: Mapped[str] = mapped_column(Text, default="")  # the words beside the box of mode `magnet`
    created_at: Mapped[datetime]


class SignupAttempt(Base):
    """One press of a sign-up button, kept for a day as hashes only, so that the limits can count."""

    __tablename__ = "signup_attempts"
    __table_args__ = (
        Index("ix_signup_attempts_address", "address_print", "at"),
        Index("ix_signup_attempts_ip", "ip_print", "at"),
        Index("ix_signup_attempts_domain", "domain_print", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    ip_print: Mapped[str] = mapped_column(String(64))
    address_print: Mapped[str] = mapped_column(String(64))
    domain_print: Mapped[str] = mapped_column(String(64))
    proof_print: Mapped[str | None] = mapped_column(String(64), unique=True)  # a proof of work counts once
    outcome: Mapped[str] = mapped_column(String(20))
