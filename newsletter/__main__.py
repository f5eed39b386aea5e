"""The lean front door: `python -m newsletter worker` is a worker with no pages and no commands in its memory."""

import sys

from newsletter import backstage, lifeline, worker
from newsletter.errors import SettingError

if sys.argv[1:] != ["worker"]:
    sys.exit("This is where workers come in: python -m newsletter worker. All commands: flask --help")
lifeline.live_with_supervisor()
try:
    app = backstage.create()
except SettingError as problem:
    sys.stderr.write(f"{problem}\n")
    sys.exit(2)
with app.app_context():
    worker.run()
