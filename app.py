"""The front door: `python app.py` runs web and worker; also the WSGI application `app:app`."""

import sys

from newsletter import lifeline, supervisor
from newsletter.application import create_app
from newsletter.errors import SettingError

lifeline.live_with_supervisor()
try:
    app = create_app()
except SettingError as problem:
    supervisor.explain(problem)
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(supervisor.run(app))
