"""Editing a series in the back office: its effect first, then the change, its log, and its way back."""

from __future__ import annotations

import re
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from newsletter import clock
from newsletter.accounts.models import AuditEntry
from newsletter.audience import actions as audience
from newsletter.database.engine import db, transaction
from newsletter.messages.source import parse
from newsletter.sequences import editing, versions
from newsletter.sequences.edits import Change, Delete
from newsletter.sequences.models import Sequence, SequenceMove, SequenceVersion
from newsletter.sequences.rules import Timing
from tests.sequences.conftest import (
    MONDAY,
    at,
    emails,
    enrollment,
    join,
    person,
    run,
    sent,
    sequence,
    step,
    turn,
)
from tests.sequences.joining import begins, enter

NOW = at("2026-03-03T12:00")


def ask(client: FlaskClient, sequence_id: int, path: str = "edits", **fields: object) -> tuple[int, str]:
    """What an operator sees who sends an edit's form at NOW."""
    with clock.standing_at(NOW):
        answer = client.post(f"/admin/sequences/{sequence_id}/{path}", data=fields)
        if answer.status_code == 302:
            return 302, unescape(client.get(answer.location).text)
    return answer.status_code, unescape(re.sub(r"\s+", " ", answer.text))


def timing(amount: int, unit: str = "days", window: tuple[str, str] = ("07:00", "09:00")) -> dict[str, object]:
    return {
        "amount": amount,
        "unit": unit,
        "counts_from": "previous",
        "window_start": window[0],
        "window_end": window[1],
        "day": list("0123456"),
    }


def test_3_2_a_longer_delay_shows_who_moves_and_changes_nothing_yet(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    hello = step(series, "hello").id
    code, page = ask(operator, series, edit="change", step=hello, version=1, **timing(3))
    assert code == 200
    assert "Email 1 goes 3 days after joining instead of 2 days" in page
    assert "1 person</strong> gets it 1 day later" in page
    assert "alice@example.org" in page
    assert enrollment(alice).next_due_at == at("2026-03-04T07:00")
    code, page = ask(operator, series, "edits/apply", edit="change", step=hello, version=1, **timing(3))
    assert code == 302
    assert "Done: Email 1 goes 3 days after joining instead of 2 days." in page
    assert enrollment(alice).next_due_at == at("2026-03-05T07:00")
    turn(at("2026-03-05T07:00"))
    assert sent(alice) == [("Hello", "Thu 05.03. 07:00")]


def test_3_9_those_due_at_once_are_counted_and_must_be_confirmed(operator: FlaskClient, series: int) -> None:
    for name in ("Alice", "Bob"):
        join(series, person(name))
    sooner = {"edit": "change", "step": step(series, "hello").id, "version": 1} | timing(0, window=("", ""))
    code, page = ask(operator, series, **sooner)
    assert code == 200
    assert "2 people would be due at once" in page
    code, page = ask(operator, series, "edits/apply", **sooner, at_once="now", seen=2)
    assert code == 409
    assert "2 people would get an email at once." in page
    assert "Confirm that number, or choose something else for them." in page
    assert versions_of(series) == []
    join(series, person("Charlie"))
    code, page = ask(operator, series, "edits/apply", **sooner, at_once="now", seen=2, agree="yes")
    assert code == 409, "one more than were seen"
    assert "3 people would be due at once" in page
    code, page = ask(operator, series, "edits/apply", **sooner, at_once="now", seen=3, agree="yes")
    assert code == 302
    assert len(versions_of(series)) == 1


def test_3_9_the_page_shows_what_the_other_choices_mean(operator: FlaskClient, series: int) -> None:
    for name in ("Alice", "Bob"):
        join(series, person(name))
    sooner = {"edit": "change", "step": step(series, "hello").id, "version": 1} | timing(0, window=("", ""))
    _, page = ask(operator, series, **sooner, at_once="spread", spread_hours="10")
    assert "3 March 2026, 17:00" in page, "the second of two, five hours later"
    _, page = ask(operator, series, **sooner, at_once="keep")
    assert "Nobody who is in the series now gets anything at another time." in page
    assert ask(operator, series, **sooner, at_once="perhaps")[0] == 400
    assert ask(operator, series, **sooner, at_once="spread", spread_hours="x")[0] == 400
    code, _ = ask(operator, series, "edits/apply", **sooner, at_once="spread", spread_hours="10")
    assert code == 302


def versions_of(sequence_id: int) -> list[SequenceVersion]:
    db.session.rollback()
    return list(db.session.scalars(select(SequenceVersion).where(SequenceVersion.sequence_id == sequence_id)))


def test_3_10_a_deleted_step_says_who_never_gets_it_and_what_comes_sooner(operator: FlaskClient, series: int) -> None:
    join(series, person("Alice"))
    gone = {"edit": "delete", "step": step(series, "more").id, "version": 1}
    _, page = ask(operator, series, **gone)
    assert "Email 2 “More for {{ subscriber.first_name or 'you' }}” is deleted." in page
    assert "1 person</strong> never gets it, because it is deleted." in page
    assert "(email 3 until now)" in page


def test_3_11_the_page_offers_to_send_to_those_who_finished(operator: FlaskClient, series: int) -> None:
    bob = person("Bob")
    join(series, bob, at("2026-02-02T10:00"))
    run(at("2026-02-20T00:00"))
    more = {"edit": "add", "after": step(series, "last").id, "kind": "email", "version": 1} | timing(1)
    more |= {"subject": "Encore", "preheader": "", "body": "Hello again."}
    _, page = ask(operator, series, **more)
    assert "1 person has finished this series" in page
    assert "only because of this change" not in page
    _, page = ask(operator, series, **more, finished="yes", at_once="keep")
    assert "1 person</strong> gets it only because of this change" in page
    assert ask(operator, series, "edits/apply", **more, finished="yes", at_once="keep")[0] == 302
    run(at("2026-03-20T00:00"))
    assert sent(bob)[-1][0] == "Encore"


def test_an_edit_that_means_nothing_for_anybody_is_made_at_once(operator: FlaskClient, series: int) -> None:
    code, page = ask(operator, series, edit="delete", step=step(series, "more").id, version=1)
    assert code == 302
    assert "Nobody in this series is affected." in page
    assert len(versions_of(series)) == 1
    code, page = ask(operator, series, edit="move", step=step(series, "hello").id, to=1, version=2)
    assert "Nothing to change" in page


def test_who_may_join_shows_whose_date_lets_them_join_no_more(operator: FlaskClient, series: int) -> None:
    """And who only now; nobody who is in the series is concerned."""
    begins(series, "date", "birthday", days=0, at="09:00", yearly=True)
    begins(series, "date", "start", days=0, at="09:00", yearly=False)
    person("Alice", fields={"birthday": "1990-03-10", "start": "2026-03-12"})
    bob = person("Bob", fields={"birthday": "1991-03-20"})
    person("Dora", fields={"birthday": "1991-05-20"})
    with transaction() as session:
        audience.add_tag(session, bob, "client", MONDAY)
    enter()
    rules = {"edit": "rules", "min_gap_hours": "20", "reentry": "never", "cooldown_days": "0"}
    clients = rules | {"entry_kind": "tag", "entry_tag": "client"}
    code, page = ask(operator, series, version=1, **clients)
    assert code == 200
    assert "Only those who have the tag “client” join from now on" in page
    assert "1 person whose date comes within 30 days would join no more" in page
    assert "would join who would not have" not in page
    assert sequence(series).entry == {}
    assert ask(operator, series, "edits/apply", version=1, **clients)[0] == 302
    _, page = ask(operator, series, version=2, **rules)
    assert "1 person whose date comes within 30 days would join who would not have" in page
    assert "join no more" not in page


def test_two_operators_the_second_is_told_who_was_faster(operator: FlaskClient, series: int) -> None:
    join(series, person("Alice"))
    more = step(series, "more").id
    gone = {"edit": "delete", "step": more, "version": 1}
    assert ask(operator, series, "edits/apply", **gone)[0] == 302
    code, page = ask(operator, series, **gone)
    assert code == 409
    assert re.search("Alice[ \\w]* changed it meanwhile: Email 2", page)


def test_3_6_what_cannot_be_is_refused_and_nothing_changes(operator: FlaskClient, series: int) -> None:
    hello = step(series, "hello").id
    for fields in (
        {"edit": "change", "step": hello} | timing(1, window=("07:00", "07:00")),
        {"edit": "change", "step": hello} | timing(1) | {"day": []},
        {"edit": "delete", "step": "999"},
        {"edit": "explode"},
        {"edit": "move", "step": hello, "to": 77},
        {"edit": "delete", "step": hello, "version": "new"},
    ):
        for path in ("edits", "edits/apply"):
            assert ask(operator, series, path, **({"version": 1} | fields))[0] in {400, 404}, fields
    assert ask(operator, 999, edit="delete", step=hello, version=1)[0] == 404
    assert versions_of(series) == []


def test_3_2_new_words_are_shown_beside_the_old_ones(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    hello = step(series, "hello").id
    fields = {"edit": "reword", "step": hello, "version": 1, "subject": "Hello again", "preheader": ""}
    fields |= {"body": "Hello dear {{ subscriber.first_name or 'there' }}."}
    code, page = ask(operator, series, **fields)
    assert code == 200
    assert "<ins>again</ins>" in page
    assert "Hello <ins>dear </ins>Alice." in page
    assert "1 person who is under way and has not got it will read the new words" in page
    assert parse(step(series, "hello").source).subject == "Hello"
    code, page = ask(operator, series, "edits/apply", **fields)
    assert "Done: New words for email 1." in page
    turn(at("2026-03-04T07:00"))
    assert [row.subject for row in emails(alice)] == ["Hello again"]
    assert ask(operator, series, **(fields | {"version": 2, "body": "{{ subscriber.shoe }}"}))[0] == 400


def test_what_was_changed_is_listed_and_the_last_change_taken_back(operator: FlaskClient, series: int) -> None:
    alice = person("Alice")
    join(series, alice)
    assert "Nothing was changed yet" in operator.get(f"/admin/sequences/{series}/versions").text
    longer = {"edit": "change", "step": step(series, "hello").id, "version": 1} | timing(9)
    ask(operator, series, "edits/apply", **longer)
    page = operator.get(f"/admin/sequences/{series}/versions").text
    assert "Email 1 goes 9 days after joining instead of 2 days." in page
    assert "Take it back" in page
    number = versions_of(series)[0].id
    _, page = ask(operator, series, f"versions/{number}/undo")
    assert "everybody stands where they stood" in page
    assert "Taken back: Email 1" in page
    assert enrollment(alice).next_due_at == at("2026-03-04T07:00")
    assert ask(operator, series, f"versions/{number}/undo")[0] == 403
    assert ask(operator, series, "versions/999/undo")[0] == 404
    db.session.rollback()
    actions = list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert actions == ["operator.created", "series.edited", "series.undone"]


def test_charlie_the_stranger_sees_and_changes_nothing(sqlite_app: Flask, series: int) -> None:
    charlie = sqlite_app.test_client()
    with transaction() as session:
        kept = editing.apply(session, series, Delete(step(series, "more").id), now=MONDAY)
        assert kept is not None
        number = kept.id
    assert charlie.get(f"/admin/sequences/{series}/versions").location.startswith("/admin/sign-in")
    for path in (
        f"/admin/sequences/{series}/edits",
        f"/admin/sequences/{series}/edits/apply",
        f"/admin/sequences/{series}/versions/{number}/undo",
    ):
        fields = {"edit": "delete", "step": step(series, "hello").id}
        assert charlie.post(path, data=fields).status_code == 403, path
    db.session.rollback()
    assert [one.key for one in versions.current(db.session(), series).living] == ["hello", "last"]


def test_csrf_is_asked_of_every_form(operator: FlaskClient, sqlite_app: Flask, series: int) -> None:
    sqlite_app.config["WTF_CSRF_ENABLED"] = True
    for path in ("edits", "edits/apply", "versions/1/undo"):
        assert operator.post(f"/admin/sequences/{series}/{path}", data={}).status_code == 400


def test_3_2_a_form_that_names_no_version_overwrites_nothing(operator: FlaskClient, series: int) -> None:
    for path in ("edits", "edits/apply"):
        code, page = ask(operator, series, path, edit="delete", step=step(series, "more").id)
        assert (code, "does not say which version" in page) == (400, True), path
    assert sequence(series).version == 1
    assert ask(operator, series, edit="delete", step=step(series, "more").id, version=1)[0] == 302
    assert sequence(series).version == 2


def test_3_9_an_undo_says_how_many_it_makes_due_at_once_and_waits_for_that_to_be_confirmed(
    operator: FlaskClient, series: int
) -> None:
    alice = person("Alice")
    join(series, alice)
    with transaction() as session:
        kept = editing.apply(session, series, Change(step(series, "hello").id, Timing(30)), now=MONDAY)
        assert kept is not None
        number = kept.id
    with transaction() as session:
        session.execute(update(SequenceMove).values(due_at=at("2026-03-03T07:00")))
    code, page = ask(operator, series, f"versions/{number}/undo")
    assert (code, "1 person would get an email at once" in page) == (409, True)
    assert "Nothing was changed. Look at the change again. Press “Take it back” again if they may get it" in page
    assert "something else for them" not in page, "there is nothing else to choose"
    assert page.count("Take it back</") == 2, "the button that is spoken of"
    assert enrollment(alice).next_due_at == at("2026-04-01T10:00")
    with clock.standing_at(NOW):
        page = operator.get(f"/admin/sequences/{series}/versions").text
    assert "1 person gets an email at once then" in page
    assert 'name="seen" value="1"' in page
    assert ask(operator, series, f"versions/{number}/undo", seen=1)[0] == 302
    assert enrollment(alice).next_due_at == at("2026-03-03T07:00")


def test_3_1_a_change_of_series_leads_to_one_that_is_there_and_not_back(operator: FlaskClient, series: int) -> None:
    with transaction() as session:
        session.add(Sequence(slug="other", name="Other", created_at=MONDAY))
        session.flush()
    move = {"edit": "add", "kind": "move", "version": 1} | timing(1)
    last = step(series, "last").id
    for path in ("edits", "edits/apply"):
        code, page = ask(operator, series, path, **(move | {"after": last, "to_sequence": "nowhere"}))
        assert (code, "there is none of that name" in page) == (400, True), path
    assert ask(operator, series, "edits/apply", **(move | {"after": last, "to_sequence": "other"}))[0] == 302
    other = db.session.scalars(select(Sequence.id).where(Sequence.slug == "other")).one()
    for path in ("edits", "edits/apply"):
        code, page = ask(operator, other, path, **(move | {"to_sequence": sequence(series).slug}))
        assert (code, "come back to this one" in page) == (400, True), path
    assert versions_of(other) == []
