#!/usr/bin/env bash
# Gathers in build/i386/root what a 32-bit build needs: Debian's packages, unpacked and not installed, so
# that neither root nor a change of the machine is asked for. Once; the packages are named in a stamp.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly work=$PWD/build/i386
say() { printf 'kedge: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

if ! command -v apt-get >/dev/null || [ "$(gcc -dumpmachine)" != x86_64-linux-gnu ]; then
    die "the 32-bit build is made on 64-bit x86 with Debian's gcc and apt-get"
fi
readonly packages="libc6-dev linux-libc-dev libgcc-$(gcc -dumpversion)-dev check libsubunit-dev libzstd-dev"
if [ -f "$work/stamp" ] && [ "$(cat "$work/stamp")" = "$packages" ]; then
    exit 0
fi

# A state of apt's own, that knows nothing but i386.
rm -rf "$work"
mkdir -p "$work"/{debs,root,lists/partial,cache/archives/partial}
touch "$work/status"
cat >"$work/apt.conf" <<END
APT::Architecture "i386";
APT::Architectures { "i386"; };
APT::Sandbox::User "root";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
END
export APT_CONFIG=$work/apt.conf
say "gathering 32-bit libraries in build/i386: $packages"
# One list that cannot be had does no harm if the packages are in the others.
apt-get -q update >"$work/log" 2>&1 || true
# shellcheck disable=SC2086  # words on purpose
(cd "$work/debs" && apt-get -q download $packages) >>"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die "apt has not all of these for i386: $packages"
}
for package in "$work"/debs/*.deb; do
    dpkg -x "$package" "$work/root"
done
rm -rf "$work"/{debs,lists,cache}
echo "$packages" >"$work/stamp"
