#!/bin/sh
# Checks what the system itself must have, installs it with apt when root, else names the exact packages.
#   system.sh python            Python 3.11 or newer, with venv
#   system.sh pdf PYTHON        the libraries WeasyPrint draws with
#   system.sh browser           Chromium and what drives it, for the tests in a real browser
#   system.sh dkim              OpenDKIM's library, the second judge of signatures in the tests
#   system.sh redis             a Redis server, one of the queues the tests run on
#   system.sh network           `ip`, to make several hosts of one machine; only root can
set -eu

need() { # need WHAT PACKAGE...
    what=$1
    shift
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing $what: $*"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        echo "$what is missing. As root: apt-get install $*" >&2
        exit 1
    fi
}

case $1 in
python)
    command -v python3 >/dev/null 2>&1 || need "Python" python3 python3-venv
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "Python 3.11 or newer is needed; this is $(python3 --version)." >&2
        exit 1
    }
    python3 -c 'import ensurepip, venv' 2>/dev/null || need "Python's venv" python3-venv
    ;;
pdf)
    "$2" -c 'import weasyprint' >/dev/null 2>&1 ||
        need "what WeasyPrint draws with" libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core
    "$2" -c 'import weasyprint'
    ;;
browser)
    # libatomic1: the node that drives the browser wants it, and a small Debian does not have it.
    { command -v chromium && /sbin/ldconfig -p | grep libatomic.so.1; } >/dev/null 2>&1 ||
        need "a browser for the tests" chromium libatomic1
    ;;
dkim)
    /sbin/ldconfig -p | grep -q libopendkim.so.11 || need "the second judge of DKIM signatures" libopendkim11
    ;;
redis)
    command -v redis-server >/dev/null 2>&1 || need "a queue for the tests" redis-server
    ;;
network)
    [ "$(id -u)" -ne 0 ] || command -v ip >/dev/null 2>&1 || need "what makes networks" iproute2
    ;;
*)
    echo "usage: system.sh python | pdf PYTHON | browser | dkim | redis | network" >&2
    exit 2
    ;;
esac
