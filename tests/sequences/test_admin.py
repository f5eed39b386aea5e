"""Series in the back office: all of them, one as a line of steps with its people, and its settings."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.accounts.models import AuditEntry
from newsletter.audience import actions as audience
from newsletter.audience.rules import Status
from newsletter.database.engine import db, transaction
from newsletter.sequences.models import Sequence, Step
from newsletter.sequences.rules import EnrollmentState
from tests.sequences.conftest import MONDAY, at, emails, enrollment, join, person, run, sequence, step, turn
from tests.statements import questions


def audited() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def rules(**changed: str) -> dict[str, str]:
    """The rules of a series as its form sends them."""
    return {"edit": "rules", "version": "1", "min_gap_hours": "20", "reentry": "never", "cooldown_days": "0"} | changed


def test_charlie_the_stranger_is_refused(sqlite_app: Flask, series: int) -> None:
    charlie = sqlite_app.test_client()
    own = f"/admin/sequences/{series}"
    for path in ("/admin/sequences", "/admin/sequences/new", own, f"{own}/settings"):
        assert charlie.get(path).location.startswith("/admin/sign-in"), path
    alice = person("Alice")
    join(series, alice)
    for path in ("", "/name", "/rules", "/delete", "/people", f"/people/{alice}/stop"):
        assert charlie.post(f"{own}{path}" if path else "/admin/sequences", data=rules(name="Mine")).status_code == 403
    assert sequence(series).name == "Core series"
    assert enrollment(alice).state == EnrollmentState.ACTIVE


def test_the_list_counts_people(operator: FlaskClient, series: int) -> None:
    for name in ("Alice", "Bob"):
        join(series, person(name))
    page = operator.get("/admin/sequences").text
    assert "Core series" in page
    assert "3 emails" in page
    assert "<dd>2</dd>" in page
    assert "Nothing matches" in operator.get("/admin/sequences?q=hips").text


def test_the_list_counts_the_emails_of_all_series_with_one_question(operator: FlaskClient, series: int) -> None:
    for name in ("Strong feet", "Calm shoulders"):
        operator.post("/admin/sequences", data={"name": name})
    with transaction() as session:
        session.get_one(Step, step(series, "more").id).deleted_at = at("2026-03-01T00:00")
    with questions() as asked:
        page = operator.get("/admin/sequences").text
    counts = re.findall(r'<p class="soft">([^<]+)', page)
    assert [words.strip() for words in counts] == ["0 emails", "2 emails", "0 emails"]
    about_steps = [statement for statement, _ in asked if "FROM steps" in statement]
    assert len(about_steps) == 1
    assert "source" not in about_steps[0], "no text of an email is read to be counted"


def test_3_4_a_series_says_its_waits_in_words(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    turn(at("2026-03-04T07:00"))
    turn(at("2026-03-04T07:00"))
    page = operator.get(f"/admin/sequences/{series}").text
    assert "2 days after joining, 7:00–9:00, in the reader&#39;s zone" in page
    assert "24 hours later, weekdays, in the reader&#39;s zone" in page
    assert "“1 day” is the next calendar day where the reader lives; “24 hours” is elapsed time." in page
    assert "1 person waits for it" in page
    assert "Sent 1 time" in page
    assert "Nobody pressed a link" in page
    assert "Opens are not tracked" in page
    assert "alice@example.org" in page
    found = operator.post(f"/admin/sequences/{series}/find", data={"q": "bob@example.org", "state": "active"})
    assert "bob" not in found.location, "an address never stands in the page's own address"
    page = operator.get(found.location).text
    assert "alice@" not in page
    assert 'value="bob@example.org"' in page
    assert '<option value="active" selected' in page
    found = operator.post(f"/admin/sequences/{series}/find", data={"q": "ALICE@"})
    assert "alice@" in operator.get(found.location).text
    assert "alice@" not in operator.get(f"/admin/sequences/{series}?state=finished").text


def test_the_people_at_one_step(operator: FlaskClient, series: int) -> None:
    join(series, person("Alice"))
    own = f"/admin/sequences/{series}?step="
    assert "alice@" in operator.get(f"{own}{step(series, 'hello').id}").text
    later = operator.get(f"{own}{step(series, 'more').id}").text
    assert "alice@" not in later
    assert "Only those who are at email 2" in later


def test_every_step_can_be_moved_copied_and_deleted_without_a_script(operator: FlaskClient, series: int) -> None:
    page = operator.get(f"/admin/sequences/{series}").text
    assert f'action="/admin/sequences/{series}/edits"' in page
    for words in ("Move email 1 down", "Move email 2 up", "Move email 2 down", "Move email 3 up"):
        assert words in page
    assert "Move email 1 up" not in page
    assert "Move email 3 down" not in page
    assert page.count(">Duplicate it<") == page.count(">Delete it<") == 3
    assert page.count('name="version" value="1"') >= 9, "an edit of an older page is refused"
    assert ">before email 1<" in page
    assert ">at the end<" in page


def test_a_series_is_begun_with_a_name_and_nothing_else(operator: FlaskClient) -> None:
    refused = operator.post("/admin/sequences", data={"name": "  ", "description": "For runners"})
    assert refused.status_code == 400
    assert "has no name" in refused.text
    assert "For runners" in refused.text, "what was typed is still there"
    answer = operator.post("/admin/sequences", data={"name": " Strong  feet ", "description": "For runners"})
    page = operator.get(answer.location).text
    assert "Strong feet" in page
    assert "No steps yet" in page
    made = db.session.scalars(select(Sequence)).one()
    assert (made.slug, made.description) == ("strong-feet", "For runners")
    operator.post("/admin/sequences", data={"name": "Strong feet"})
    db.session.rollback()
    assert {row.slug for row in db.session.scalars(select(Sequence))} == {"strong-feet", "strong-feet-2"}
    assert audited().count("series.begun") == 2


def test_a_new_name_is_kept_at_once(operator: FlaskClient, series: int) -> None:
    assert operator.post(f"/admin/sequences/{series}/name", data={"name": "", "description": "x"}).status_code == 400
    assert (
        operator.post(f"/admin/sequences/{series}/name", data={"name": "Calm", "description": "Slowly"}).status_code
        == 302
    )
    kept = sequence(series)
    assert (kept.name, kept.description, kept.slug) == ("Calm", "Slowly", "core-series")


def test_3_12_rules_are_typed_looked_at_and_then_kept(operator: FlaskClient, series: int) -> None:
    own = f"/admin/sequences/{series}"
    typed = rules(reentry="completed", cooldown_days="30", evergreen="yes", goal_kind="tag", goal_tag="client")
    typed |= {"exit_tagged": "vip, client", "exit_untagged": ""}
    asked = operator.post(f"{own}/rules", data=typed)
    assert (asked.status_code, asked.location) == (307, f"{own}/edits"), "the same form is sent on to its impact"
    assert operator.post(asked.location, data=typed).status_code == 302  # nobody is in it, so nothing has to be shown
    kept = sequence(series)
    assert (kept.reentry, kept.cooldown_days, kept.evergreen) == ("completed", 30, True)
    assert (kept.goal, kept.exits) == ({"tag": "client"}, [{"tagged": "vip"}, {"tagged": "client"}])
    page = operator.get(own).text
    assert "Those who have the tag “client” are done, and leave." in page
    assert "Whoever gets the tag “vip” or gets the tag “client”." in page
    assert "Again once they finished it, after at least 30 days." in page
    assert "They wait for new steps (evergreen)." in page
    form = operator.get(f"{own}/settings").text
    assert 'name="goal_tag" value="client"' in form
    assert 'value="vip, client"' in form


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"min_gap_hours": "9999"}, "from 0 to 720 hours"),
        ({"goal_kind": "tag"}, "they have the tag what?"),
        ({"entry_kind": "clicked", "entry_clicked": "any"}, "cannot hang on a click"),
        ({"exit_tagged": "a", "exit_untagged": "a"}, "nobody could stay"),
        ({"goal_kind": "field", "goal_field": "city", "goal_is": "equals"}, "what to compare"),
    ],
)
def test_3_13_rules_that_make_no_sense_are_refused_and_not_lost(
    operator: FlaskClient, series: int, changed: dict[str, str], said: str
) -> None:
    answer = operator.post(f"/admin/sequences/{series}/rules", data=rules(reentry="always", **changed))
    assert answer.status_code == 400
    assert said in answer.text
    assert '<option value="always" selected>' in answer.text, "what was typed is still there"
    assert sequence(series).reentry == "never"


def test_a_series_goes_only_while_nobody_was_in_it(operator: FlaskClient, series: int) -> None:
    join(series, person("Alice"))
    assert "It cannot be deleted." in operator.get(f"/admin/sequences/{series}/settings").text
    assert operator.post(f"/admin/sequences/{series}/delete").status_code == 400
    assert sequence(series).id == series
    operator.post("/admin/sequences", data={"name": "Empty"})
    other = f"/admin/sequences/{series + 1}"
    assert "Nobody was ever in it" in operator.get(f"{other}/settings").text
    assert operator.post(f"{other}/delete").status_code == 302
    assert operator.get(other).status_code == 404
    assert "series.deleted" in audited()


def test_one_person_joins_by_hand(operator: FlaskClient, series: int) -> None:
    own = f"/admin/sequences/{series}"
    alice = person("Alice")
    assert operator.post(f"/admin/sequences/{series}/people", data={"email": "ALICE@example.org"}).status_code == 302
    joined = enrollment(alice)
    assert (joined.source, joined.state) == ("operator", EnrollmentState.ACTIVE)
    operator.post(f"/admin/sequences/{series}/people", data={"email": "alice@example.org"})
    assert "They did not join: they are in it already." in operator.get(own).text
    assert audited().count("series.joined") == 1


def test_3_12_charlie_who_may_not_join_cannot_be_let_in_and_the_page_says_why(
    operator: FlaskClient, series: int
) -> None:
    own = f"/admin/sequences/{series}"
    typed = rules(entry_kind="tag", entry_tag="client", entry_not="yes")
    assert operator.post(f"{own}/rules", data=typed).status_code == 307
    answer = operator.post(f"{own}/edits", data=typed, follow_redirects=True).text
    assert "Done: Only those who do not have the tag “client” join from now on." in answer
    assert "Only those who do not have the tag “client” join, by whatever way they come." in answer
    charlie = person("Charlie")
    with transaction() as session:
        audience.add_tag(session, charlie, "client", MONDAY)
    operator.post(f"{own}/people", data={"email": "charlie@example.org"})
    page = operator.get(own).text
    assert "They did not join: only those who do not have the tag “client” join." in page
    assert f"/people/{charlie}/stop" not in page
    form = operator.get(f"{own}/settings").text
    assert 'name="entry_tag" value="client"' in form
    assert 'name="entry_not" value="yes" checked' in form
    assert form.count(">Everybody<") == form.count(">No goal<") == 1
    assert 'value="clicked"' in form
    assert 'name="entry_kind" value="clicked"' not in form


def test_charlie_who_left_cannot_be_let_in(operator: FlaskClient, series: int) -> None:
    person("Charlie", status=Status.UNSUBSCRIBED, marketing=False)
    own = f"/admin/sequences/{series}"
    operator.post(f"/admin/sequences/{series}/people", data={"email": "charlie@example.org"})
    assert "They cannot get this series: unsubscribed." in operator.get(own).text
    assert operator.post(f"/admin/sequences/{series}/people", data={"email": "nobody@example.org"}).status_code == 400
    assert operator.post(f"/admin/sequences/{series}/people", data={"email": "not an address"}).status_code == 400


def test_one_person_is_stopped_by_hand(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    assert operator.post(f"/admin/sequences/{series}/people/{alice}/stop").status_code == 302
    stopped = enrollment(alice)
    assert (stopped.state, stopped.ended_why) == (EnrollmentState.EXITED, "stopped by hand")
    assert operator.post(f"/admin/sequences/{series}/people/{alice}/stop").status_code == 404
    run(at("2026-03-20T00:00"))
    assert emails(alice) == []


def test_what_does_not_exist_is_not_found(operator: FlaskClient, series: int) -> None:
    other = f"/admin/sequences/{sequence(series).id + 1}"
    for path in ("", "/settings"):
        assert operator.get(f"{other}{path}").status_code == 404, path
    for path in ("name", "rules", "delete", "people"):
        assert operator.post(f"{other}/{path}", data=rules(name="x")).status_code in {400, 404}, path


def test_csrf_is_asked_of_every_form(operator: FlaskClient, sqlite_app: Flask, series: int) -> None:
    sqlite_app.config["WTF_CSRF_ENABLED"] = True
    for path in ("", "/name", "/rules", "/delete", "/people", "/people/1/stop"):
        place = f"/admin/sequences/{series}{path}" if path else "/admin/sequences"
        assert operator.post(place, data=rules(name="x")).status_code == 400, path


def test_an_empty_house_says_where_series_come_from(operator: FlaskClient) -> None:
    page = operator.get("/admin/sequences").text
    assert "No series yet" in page
    assert "/admin/sequences/new" in page


def test_what_boxes_for_tags_offer_stands_once_on_the_page(operator: FlaskClient, series: int) -> None:
    assert operator.get(f"/admin/sequences/{series}/settings").text.count('id="tags"') == 1
