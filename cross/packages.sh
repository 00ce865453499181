# For the scripts beside it, which have a function `fail`: installing what they lack, by package name.

have() { command -v "$1" >/dev/null 2>&1; }

apt() { # PACKAGE...
    have apt-get || fail "please install $*: there is no apt-get here to do it"
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    echo "installing $*" >&2
    { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >&2 ||
        fail "apt-get could not install $*"
}

need() { # PROGRAM PACKAGE
    have "$1" || apt "$2"
}
