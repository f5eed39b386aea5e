"""Supple, a self-hosted lead-magnet and newsletter pipeline.

The house, from the top floor down; imports point only down (docs/architecture.md is the full plan):

front doors  application, backstage, worker, supervisor, cli, cli_series, cli_drive, doctor
starter      the first content of an empty database
forecast     the next days before they happen, what an edit means  | dashboard (the overview of everything)
landing      landing pages (articles), video, comments
signup       forms, double opt-in, thank-you, repeat requests, unsubscribe, preferences
magnets      PDF gifts and their links  | sequences  | broadcasts
delivery     the ledger (outbox) and the wire
messages     a template + a reader -> MIME bytes
tracking     links, clicks, robots
audience     subscribers, consent, tags, suppressions, import, export, erase
accounts     operators, sign-in, the studio's own settings, audit log
database     engine, types, base, migrations | work (claims, Huey) | web (forms, csrf, security, limits, problems)
settings     clock, civil, errors, addresses, tokens, sealing, lifeline, logs, figures
"""
