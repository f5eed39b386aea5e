#!/bin/sh
# Checks what the system itself must have, installs it with apt when root, else names the exact packages.
#   system.sh python            Python 3.11 or newer, with venv
#   system.sh interpreter       prints which Python that is: the system's own where it is new enough
#   system.sh pdf PYTHON        the libraries WeasyPrint draws with
#   system.sh browser           Chromium and what drives it, for the tests in a real browser
#   system.sh dkim              OpenDKIM's library, the second judge of signatures in the tests
#   system.sh redis             a Redis server, one of the queues the tests run on
#   system.sh network           `ip`, to make several hosts of one machine; only root can
#   system.sh mail FOLDER       Postfix, and Exim unpacked into FOLDER, for the tests; only root can run them
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

quietly() { # quietly WHAT PACKAGE...: like need, but the services it brings stay off; nobody asked for them
    policy=/usr/sbin/policy-rc.d
    if [ -e $policy ]; then
        need "$@"
    else
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
        need "$@"
        rm -f $policy
        trap - EXIT
    fi
}

fits() { # fits PYTHON WHAT: it is new enough and has WHAT
    "$1" -c "import sys$2; sys.exit(sys.version_info < (3, 11))" 2>/dev/null
}

case $1 in
python)
    command -v python3 >/dev/null 2>&1 || need "Python" python3 python3-venv
    fits python3 "" || fits /usr/bin/python3 "" || {
        echo "Python 3.11 or newer is needed; this is $(python3 --version)." >&2
        exit 1
    }
    # Debian builds its own with what profiling learnt: it sends a sixth more emails a second than one built without.
    wanted=$(sh "$0" interpreter)
    [ "$(id -u)" -ne 0 ] || ! fits /usr/bin/python3 "" || wanted=/usr/bin/python3
    fits "$wanted" ", ensurepip, venv" || need "Python's venv" python3-venv
    ;;
interpreter)
    if fits /usr/bin/python3 ", ensurepip, venv"; then echo /usr/bin/python3; else echo python3; fi
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
mail)
    [ "$(id -u)" -eq 0 ] || {
        echo "Not root: the tests with Postfix and Exim, whose programs change to other users, will be skipped."
        exit 0
    }
    command -v postfix >/dev/null 2>&1 || {
        [ ! -e /usr/sbin/sendmail ] || {
            echo "Another mail server is installed, and Debian allows one; the tests as root want Postfix." >&2
            echo "Run them as another user, and they do without, or in a container." >&2
            exit 1
        }
        echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
        quietly "mail servers for the tests" postfix
    }
    # Exim and Postfix cannot both be installed, so one is only unpacked; the libraries it wants get in nobody's way.
    [ -e "$2/ready" ] || {
        need "what Exim wants" libidn12 libnsl2 libgnutls-dane0 libdb5.3 libpcre2-8-0 libnss-wrapper
        rm -rf "$2" && mkdir -p "$2"
        (cd "$2" && apt-get download -qq exim4-daemon-light exim4-base)
        for package in "$2"/*.deb; do
            dpkg -x "$package" "$2"
        done
        rm "$2"/*.deb && touch "$2/ready"
    }
    ;;
*)
    echo "usage: system.sh python | interpreter | pdf PYTHON | browser | dkim | redis | network | mail FOLDER" >&2
    exit 2
    ;;
esac
