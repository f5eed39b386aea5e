"""2.14: an email made quickly, of what all readers share and the few words of one, says what a plain rendering says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.messages import compiling, plain
from newsletter.messages.compiling import CompiledMessage, compile_message
from newsletter.messages.mime import Envelope, build
from newsletter.messages.source import parse

from .conftest import LINKS, STUDIO, picture

ENVELOPE = Envelope(
    "<1@studio.example>", datetime(2026, 3, 1, tzinfo=UTC), ("", "a@b.example"), ("", "alice@example.org")
)
NAME = "{{ subscriber.first_name }}"
BLOCKS = [
    f"Hello {NAME},",
    f"# For {NAME}, in large letters",
    f"A paragraph that is long enough to be wrapped, in the middle of which stands {NAME}, and goes on.",
    f"{NAME}{NAME} and **{NAME}**\\\nnew line. {{{{ fields.city or 'your town' }}}}...",
    "Grüße aus München, schöne Füße \U0001f600, 日本語の長い行。" * 2,
    "x" * 200 + f"{NAME}" + "y" * 90,
    ".\n..\nFrom the start of a line  there are   spaces.",
    "{% if subscriber.first_name %}\nThere is one, " + NAME + ".\n{% else %}\nThere is none.\n{% endif %}",
    "{% if marketing %}To many{% else %}To one{% endif %} {% if not marketing or fields.city %}of {{ fields.city }}"
    "{% elif marketing %}!{% endif %}",
    f"- one\n- two {NAME}\n{{% for tag in subscriber.tags %}}\n- {{{{ tag }}}}: {{{{ tag }}}}\n{{% endfor %}}",
    "> quoted " + NAME + " " + "words " * 30,
    "[a link](https://a.example/path?x=1&y=2) and [theirs]({{ links.video }}) and so on " + "and on " * 20,
    "[Press]({{ links.download }}){.button}",
    "    code " + NAME + "\n      as it is",
    "| a | b |\n|---|---|\n| " + NAME + " | {{ studio.name }} |",
    "{% set who = subscriber.first_name ~ '!' %}\n\n{{ who }}\n\n***",
    "![](figure:cat-cow)",
]  # fmt: skip
signs = st.text(alphabet="ab .=\t\u00a0\u3000\u00e4\U0001f600<&>\"'-", max_size=90)
names = st.none() | st.sampled_from(["Alice", "Anna Maria", "Zoë", "."]) | signs | st.text(max_size=60)
readers = st.builds(
    lambda name, city, tags: {
        "subscriber": {"first_name": name, "fields": {"city": city}, "tags": tags},
        "links": LINKS,
    },
    names.map(lambda name: name and name.encode("utf-8", "ignore").decode()),
    st.sampled_from(["", "Malmö", "New York", "x" * 80]),
    st.lists(st.sampled_from(["stretch", "two words"]), max_size=3),
)
Reader = Mapping[str, object]


def _compiled(blocks: list[str], marketing: bool) -> CompiledMessage:
    body = "\n\n".join(blocks)
    source = parse(f"---\nsubject: For {NAME}\n---\n{body}")
    return compile_message(source, STUDIO, image=picture, marketing=marketing)


def _both_parts(content: bytes) -> tuple[str, str]:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert not any(part.defects for part in message.walk())
    html, text = (
        part.get_payload(decode=True).decode().replace("\r\n", "\n")  # type: ignore[union-attr]
        for kind in ("text/html", "text/plain")
        for part in parts
        if part.get_content_type() == kind
    )
    return html, text


def _reference(html: str, text: str) -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message.set_content(text, cte="base64")
    message.add_alternative(html, subtype="html", cte="base64")
    return message.as_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    blocks=st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=8),
    marketing=st.booleans(),
    people=st.lists(readers, min_size=1, max_size=5),
)
def test_2_14_the_bytes_say_what_the_preview_says(blocks: list[str], marketing: bool, people: list[Reader]) -> None:
    compiled = _compiled(blocks, marketing)
    for reader in people:
        rendered = compiled.render(reader)
        content = build(rendered, ENVELOPE)
        assert _both_parts(content) == (rendered.html, rendered.text)
        assert _both_parts(content) == _both_parts(_reference(rendered.html, rendered.text))
        assert content == build(compiled.render(reader), ENVELOPE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    blocks=st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=8), people=st.lists(readers, min_size=1, max_size=8)
)
def test_the_text_part_is_wrapped_as_if_for_each_reader_alone(blocks: list[str], people: list[Reader]) -> None:
    compiled = _compiled(blocks, marketing=True)
    for reader in people:
        assert compiled.render(reader).text == _wrapped_alone(compiled, reader)


def _wrapped_alone(compiled: CompiledMessage, reader: Reader) -> str:
    names = compiling._complete(reader, compiled.standing)
    text = "".join(compiled.text.run(names))
    addresses = [*compiled.links, *compiled.text.own_addresses(cast(Mapping[str, object], names["links"]))]
    for link, address in zip(compiled.text.links, addresses, strict=True):
        text = text.replace(link.word, address)
    return plain.finish(text)
