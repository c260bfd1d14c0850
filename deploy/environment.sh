# Sourced by ./run and ./test: the virtual environment and the system packages.

say() { printf '%s\n' "$*" >&2; }

find_python() {
  for candidate in python3.13 python3.12 python3.11 python3; do
    if command -v "$candidate" >/dev/null 2>&1 \
      && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  say "Heron needs Python 3.11, 3.12 or 3.13; none is installed (apt-get install python3)."
  return 1
}

# as_root COMMAND...: directly as root, through sudo where that asks nothing, else fails.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi
}

apt_install() {
  command -v apt-get >/dev/null 2>&1 || return 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return
  as_root apt-get update -qq >/dev/null 2>&1 || return 1
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# make_environment REQUIREMENTS: .venv with exactly these packages; does nothing when they are there already.
make_environment() {
  requirements=$1
  if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python) || exit 1
    rm -rf .venv
    if ! "$python" -m venv .venv >/dev/null 2>&1; then
      rm -rf .venv
      version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
      say "Installing python$version-venv ..."
      if ! apt_install "python$version-venv" || ! "$python" -m venv .venv; then
        rm -rf .venv
        say "A virtual environment can't be made: install python$version-venv (apt-get install python$version-venv)."
        exit 1
      fi
    fi
  fi
  wanted=$(cat requirements.txt "$requirements" | cksum)
  mark=.venv/.installed-$(basename "$requirements" .txt)
  if [ "$(cat "$mark" 2>/dev/null || true)" != "$wanted" ]; then
    say "Installing Python packages, once ..."
    .venv/bin/python -m pip install -q --disable-pip-version-check -r "$requirements" || {
      say "The packages of $requirements could not be installed: is a package index reachable?"
      exit 1
    }
    printf '%s' "$wanted" > "$mark"
  fi
}

# What the tests drive besides Python: each is named when it can't be installed, and its tests skip then.
install_test_servers() {
  missing=
  command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
  command -v ffmpeg >/dev/null 2>&1 || missing="$missing ffmpeg"
  command -v ffprobe >/dev/null 2>&1 || missing="$missing ffmpeg"
  command -v chromium >/dev/null 2>&1 || missing="$missing chromium fonts-dejavu-core"
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
  /usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0")' 2>/dev/null \
    || missing="$missing python3-gi gir1.2-gst-rtsp-server-1.0"
  for plugins in base good bad ugly; do
    [ -e "/usr/share/doc/gstreamer1.0-plugins-$plugins" ] || missing="$missing gstreamer1.0-plugins-$plugins"
  done
  [ -z "$missing" ] && return
  say "Installing for the tests:$missing ..."
  # shellcheck disable=SC2086
  apt_install $missing || say "Not installed:$missing. Tests that need them are skipped."
}
