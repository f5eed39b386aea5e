"""The audit log in the words a person reads; an action that is not listed here is shown as it was recorded."""

from __future__ import annotations

AUDIT_WORDS = {
    "operator.created": "Made an operator",
    "subscriber.merged": "Merged two records of a person",
    "operator.renamed": "Changed their name",
    "password.changed": "Changed their password",
    "settings.changed": "Changed the settings",
    "logo.changed": "Changed the logo",
    "logo.removed": "Removed the logo",
    "subscriber.unsubscribed": "Unsubscribed a person",
    "subscriber.erased": "Erased a person",
    "subscriber.exported": "Downloaded what is held about a person",
    "subscriber.tagged": "Added a tag",
    "subscriber.untagged": "Removed a tag",
    "subscriber.corrected": "Corrected a person’s details",
    "subscriber.added": "Added a person by hand",
    "gift.created": "Began a gift",
    "gift.edited": "Changed the words of a gift",
    "gift.changed": "Changed how a gift is given",
    "gift.uploaded": "Uploaded a gift",
    "gift.replaced": "Replaced the file of a gift",
    "gift.rebuilt": "Made a gift’s page again",
    "subscribers.exported": "Downloaded the list of subscribers",
    "series.reworded": "Changed the words of an email of a series",
    "series.joined": "Let a person join a series",
    "series.stopped": "Stopped a series for a person",
    "page.saved": "Saved a page",
    "comment.approved": "Let a comment through",
    "comment.removed": "Removed a comment",
    "comment.held": "Brought a comment back",
}
