"""What an operator's template may do, and what it is refused."""

from __future__ import annotations

import time

import pytest

from newsletter.errors import RenderError, SourceError

from .conftest import Compile

Context = dict[str, object]


@pytest.mark.parametrize(
    "escape",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'] }}",
        "{{ subscriber.__init__.__globals__ }}",
        "{{ subscriber|attr('__class__') }}",
        "{{ self }}",
        "{{ self._TemplateReference__context }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__ }}",
        "{{ namespace() }}",
        "{{ dict() }}",
        "{{ joiner() }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ subscriber.fields.update({'a': 1}) }}",
        "{{ subscriber.tags.append('x') }}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro m() %}x{% endmacro %}",
        "{% block b %}x{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{% set studio = 'mine' %}",
        "{% set links = fields %}",
        "{{ '<b>'|safe }}",
        "{% autoescape false %}x{% endautoescape %}",
    ],
)
def test_ways_out_of_the_sandbox_are_closed(build: Compile, alice: Context, escape: str) -> None:
    with pytest.raises((SourceError, RenderError)):
        build(f"Hello {escape}").render(alice)


@pytest.mark.parametrize(
    "runaway",
    [
        "{% for a in range(1000) %}x{% endfor %}",
        "{% for a in range(99) %}{% for b in range(99) %}{% for c in range(99) %}x{% endfor %}{% endfor %}{% endfor %}",
        "{{ 'x' * 999999999 }}",
        "{{ [1] * 999999999 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ 'x'|center(999999999) }}",
        "{{ 'x'|indent(999999999) }}",
        "{{ 'ab'|replace('a', 'aaaa') }}",
        "{{ ('x' * 9)|join('yyyyyyyy') }}",
        "{% set a = 'xxxxxxxx' %}{% set b = a ~ a ~ a %}{{ b }}",
        "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ lipsum(n=9999) }}",
        "{% for a in range(99) %}{% for b in range(99) %}" + "x" * 100 + "{% endfor %}{% endfor %}",
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{{ 1.5|round(99999999, 'ceil') }}",
        "{{ " + "9" * 5000 + " }}",
        "{% set s = '" + "x" * 20_000 + "' %}{{ " + "~".join(["s"] * 9000) + " }}",
        "{% set s = '" + "x" * 20_000 + "' %}{{ [" + ",".join(["s"] * 9000) + "]|join }}",
        "{% for a in ['xxxx'] %}{% for b in [a ~ a ~ a] %}{{ b }}{% endfor %}{% endfor %}",
        "{% for a in ['xxxx'] %}{% set b = a ~ a ~ a %}{{ b }}{% endfor %}",
    ],
)
def test_a_template_cannot_run_away(build: Compile, alice: Context, runaway: str) -> None:
    started = time.perf_counter()
    with pytest.raises((SourceError, RenderError)):
        build(runaway).render(alice)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{{ subscriber.first_name or "there" }}', "Alice"),
        ("{{ subscriber.first_name|upper }}", "ALICE"),
        ("{{ fields.city }}", "Malmö"),
        ('{{ fields.shoe_size or "any size" }}', "any size"),
        ('{{ fields["shoe size"] | default("any size") }}', "any size"),
        ("{% if fields.nothing %}x{% else %}without{% endif %}", "without"),
        ("{{ subscriber.tags|join(', ') }}", "stretch"),
        ("{% for n in range(3) %}{{ n + 1 }} {% endfor %}", "1 2 3"),
        ("{{ 3 * 4 }}", "12"),
        ("{{ 2.345|round(1) }}", "2.3"),
        ("{% set words = ['a', 'b'] %}{% for word in words %}{{ word }}{% endfor %}", "ab"),
        ('{% set who = subscriber.first_name ~ "!" %}{{ who ~ " " ~ who }}', "Alice! Alice!"),
        ("{% raw %}{{ not evaluated }}{% endraw %}", "{{ not evaluated }}"),
        ("a{# a remark #}b", "ab"),
        ("{{ studio.name }}", "Your Studio"),
        (r"\{\{ not evaluated \}\}", "{{ not evaluated }}"),
        ("&#123;&#123; 7 * 7 }}", "{{ 7 * 7 }}"),
        ("{ {{ 1 + 1 }} } {%- raw %}{{{% endraw %}", "{ 2 } {{"),
    ],
)
def test_what_templates_can_do(build: Compile, alice: Context, body: str, shown: str) -> None:
    rendered = build(body).render(alice)
    assert rendered.text.startswith(shown)
    assert shown in rendered.html


def test_nothing_prints_as_none(build: Compile, bob: Context) -> None:
    name = "{{ subscriber.first_name }}"
    rendered = build(f"Hello {name}, [link]({{{{ links.video }}}}&name={name})", subject=f"Hi {name}").render(bob)
    assert "None" not in rendered.subject + rendered.html + rendered.text


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("One\n\nTwo {{ subscriber.frist_name }}", ["line 7", "frist_name", "Did you mean 'first_name'?"]),
        ("{{ nobody }}", ["line 5", "nobody"]),
        ("{% if nobody %}x{% endif %}", ["line 5", "nobody"]),
        ("- a\n- b\n\n{% for x in links.pages %}\n{{ x }}\n{% endfor %}", ["line 8", "'pages'", "'page'"]),
        ("{{ fields.city_of_birth }}", ["line 5", "city_of_birth", "something else"]),
        ("[go]({{ links.resend }})", ["line 5", "no address for this reader"]),
        ("{{ 1 / 0 }}", ["line 5", "zero"]),
    ],
)
def test_2_11_an_undefined_name_fails_and_says_where(
    build: Compile, alice: Context, body: str, named: list[str]
) -> None:
    with pytest.raises(RenderError) as caught:
        build(body).render(alice)
    for word in named:
        assert word in str(caught.value)


def test_an_undefined_name_in_the_subject_is_found_there(build: Compile, alice: Context) -> None:
    with pytest.raises(RenderError, match="line 2"):
        build("x", subject="{{ nope }}").render(alice)


@pytest.mark.parametrize("broken", ["{{ a", "{% if a %}x", "{{ a | nope }}", "{% endif %}", "{{ a b }}", "{% nope %}"])
def test_a_broken_template_names_its_line(build: Compile, broken: str) -> None:
    with pytest.raises(SourceError, match=r"line [567]"):
        build(f"One\n\n{broken}")
