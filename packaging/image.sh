#!/usr/bin/env bash
# Builds the container images from packages that were built: image.sh PACKAGES OUT. `./dev image` calls it. Needs no root, no Docker and
# no daemon. OUT/holdfast and OUT/holdfast-fleet are OCI image layouts.
#
# HOLDFAST_JDK: runs what writes the layout. SOURCE_DATE_EPOCH: the time of every file, that of the last commit if not given.
# HOLDFAST_RELEASE_KEY=FILE: the private key of releases (ECDSA P-256 in PEM, outside of the tree); without it images are not signed.
# HOLDFAST_SOURCE=URI, HOLDFAST_BUILDER=URI: where the source is and who builds, for the provenance.
# HOLDFAST_IMAGE_DEBS=FOLDER: Debian's packages for the base instead of those that apt fetches, to build an image again.
set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC
root=$(cd "$(dirname "$0")/.." && pwd)
here=$root/packaging
packages=$(cd "${1:?image.sh PACKAGES OUT}" && pwd)
out=${2:?image.sh PACKAGES OUT}
mkdir -p "$out"
out=$(cd "$out" && pwd)
jdk=${HOLDFAST_JDK:?HOLDFAST_JDK is not set}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
arch=${HOLDFAST_ARCH:-amd64}
# What the programs need of Debian: the launcher's shell, the C library, certificates, and what tells scanners that it is Debian.
wanted=(base-files ca-certificates dash libc6)
case $arch in
    amd64) suite=bookworm ;;
    # Java is Debian's own there, and uses these.
    arm64) suite=trixie && wanted+=(libgcc-s1 libstdc++6 zlib1g) ;;
    *) echo "image.sh: $arch is not known" >&2; exit 2 ;;
esac
debs=${HOLDFAST_IMAGE_DEBS:-${XDG_CACHE_HOME:-$HOME/.cache}/holdfast/image-$suite-$arch}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '%s\n' "$*" >&2; }

# --- Who signs, and what was built -----------------------------------------------------------------------------------

commit=$(git -C "$root" rev-parse HEAD)
state=()
[ -z "$(git -C "$root" status --porcelain)" ] || state=(--uncommitted)
sign=()
if [ -n "${HOLDFAST_RELEASE_KEY:-}" ]; then
    key=$(realpath -e "$HOLDFAST_RELEASE_KEY")
    case $key in "$root"/*) say "The key of releases is in the tree: $key. Keep it elsewhere."; exit 1 ;; esac
    # For tests, which run in trees that are being worked on. The provenance says so.
    if [ ${#state[@]} -gt 0 ] && [ "${HOLDFAST_SIGN_UNCOMMITTED:-}" != yes ]; then
        say "The tree has changes that no commit has (git status). What is signed must be built from a commit."
        exit 1
    fi
    sign=(--key "$key")
else
    say "HOLDFAST_RELEASE_KEY is not set: the images are not signed, and fleet image verify refuses them."
fi

# --- The base --------------------------------------------------------------------------------------------------------

if [ -z "${HOLDFAST_IMAGE_DEBS:-}" ]; then
    # What has been fetched is good for a day; then Debian may have newer ones.
    [ -z "$(find "$debs" -maxdepth 0 -mmin +1440 2>/dev/null)" ] || rm -rf "$debs"
    "$here/fetch-debs" "$suite" "$arch" "$debs" "${wanted[@]}"
fi

mkdir -p "$work/debian" "$work/base"
base=$work/base
for deb in "$debs"/*.deb; do
    name=$(dpkg-deb -f "$deb" Package)
    dpkg-deb -x "$deb" "$work/debian"
    # Where scanners look in images without a package manager.
    mkdir -p "$base/var/lib/dpkg/status.d"
    dpkg-deb -f "$deb" >"$base/var/lib/dpkg/status.d/$name"
    printf 'pkg:deb/debian/%s@%s?arch=%s&distro=%s %s\n' "$name" "$(dpkg-deb -f "$deb" Version | sed 's/+/%2B/g; s/~/%7E/g')" "$arch" "$suite" \
        "$(sha256sum "$deb" | cut -d ' ' -f 1)" >>"$work/materials"
    install -D -m 0644 "$work/debian/usr/share/doc/$name/copyright" "$base/usr/share/doc/$name/copyright"
done
mkdir -p "$base"/{etc/ssl/certs,usr/bin,usr/lib,dev,proc,sys,run,tmp,var/lib}
for link in bin lib; do ln -s "usr/$link" "$base/$link"; done
# Debian 12's packages have them below /lib, Debian 13's below /usr/lib. Of the C library what is loaded, none of its tables for iconv.
for libraries in "$work"/debian/{usr/,}lib/*-linux-gnu*; do
    [ -d "$libraries" ] || continue
    mkdir -p "$base/usr/lib/${libraries##*/}"
    find "$libraries" -maxdepth 1 -name '*.so*' -exec cp -P -t "$base/usr/lib/${libraries##*/}" {} +
done
case $arch in
    amd64)
        mkdir "$base/usr/lib64"
        ln -s usr/lib64 "$base/lib64"
        ln -s ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 "$base/usr/lib64/ld-linux-x86-64.so.2"
        ;;
    arm64) ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$base/usr/lib/ld-linux-aarch64.so.1" ;;
esac
cp "$(find "$work/debian" -path '*bin/dash' -type f)" "$base/usr/bin/dash"
ln -s dash "$base/usr/bin/sh"
cp -P "$work/debian/usr/lib/os-release" "$base/usr/lib/os-release"
ln -s ../usr/lib/os-release "$base/etc/os-release"
cp -r "$work/debian/usr/share/common-licenses" "$base/usr/share/common-licenses"
# As update-ca-certificates does.
cat "$work"/debian/usr/share/ca-certificates/mozilla/*.crt >"$base/etc/ssl/certs/ca-certificates.crt"
echo 'hosts: files dns' >"$base/etc/nsswitch.conf"
# Numbers that never change: volumes keep them.
cat >"$base/etc/passwd" <<'TXT'
root:x:0:0:root:/:/usr/sbin/nologin
holdfast:x:10001:10001:Holdfast agent:/var/lib/holdfast:/usr/sbin/nologin
holdfast-inference:x:10002:10003:Holdfast inference:/:/usr/sbin/nologin
holdfast-fleet:x:10005:10005:Holdfast fleet service:/var/lib/holdfast-fleet:/usr/sbin/nologin
TXT
cat >"$base/etc/group" <<'TXT'
root:x:0:
holdfast:x:10001:
holdfast-inference:x:10002:
holdfast-api:x:10003:holdfast
holdfast-store:x:10004:holdfast,holdfast-inference
holdfast-fleet:x:10005:
TXT
echo "tmp 0 0 1777" >"$work/base.owners"

# Every library that a program names is there: what is missing would show at a customer's.
check_libraries() { # FOLDER...
    local missing
    missing=$(find "$@" -type f \( -name '*.so*' -o -path '*/bin/*' -o -name jspawnhelper \) -exec readelf -d {} + 2>/dev/null |
        sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u | while read -r library; do
        [ -n "$(find "$@" -name "$library" -print -quit)" ] || echo "$library"
    done)
    [ -z "$missing" ] || { say "The base lacks: $missing"; exit 1; }
}

# --- The images ------------------------------------------------------------------------------------------------------

unpacked() { # PACKAGE -> its tree
    local deb
    deb=$(echo "$packages/$1"_*_"$arch".deb)
    [ -f "$deb" ] || { say "There is no $deb: ./dev package"; exit 1; }
    dpkg-deb -x "$deb" "$work/$1"
    # What a container has no use for.
    rm -rf "$work/$1"/usr/lib/{systemd,sysusers.d,tmpfiles.d} "$work/$1"/usr/share/{man,bash-completion,zsh,fish} "$work/$1"/usr/lib/holdfast*/start-caches \
        "$work/$1"/usr/lib/holdfast*/start.gguf
}

image() { # NAME DESCRIPTION
    local name=$1 version
    version=$(dpkg-deb -f "$packages/$name"_*_"$arch".deb Version)
    python3 "$here/layer.py" "$work/$name.tar" "$work/$name" "$work/$name.owners"
    rm -rf "${out:?}/$name"
    "$jdk/bin/java" -cp "$root/packaging/target/lib/*" dev.holdfast.packaging.ImageBuilder --out "$out/$name" --name "$name" \
        --version "$version" --description "$2" --arch "$arch" --layer "$work/base.tar" --layer "$work/runtime.tar" --layer "$work/$name.tar" \
        --config "$work/$name.json" --materials "$work/materials" \
        --bill "$work/holdfast-runtime/usr/share/doc/holdfast-runtime/sbom.cdx.json" --bill "$work/$name/usr/share/doc/$name/sbom.cdx.json" \
        --commit "$commit" "${state[@]}" --source "${HOLDFAST_SOURCE:-}" --builder "${HOLDFAST_BUILDER:-tag:holdfast.dev,2026:some-machine}" \
        "${sign[@]}"
}

unpacked holdfast-runtime
unpacked holdfast
unpacked holdfast-fleet
check_libraries "$base" "$work/holdfast-runtime"
python3 "$here/layer.py" "$work/base.tar" "$base" "$work/base.owners"
python3 "$here/layer.py" "$work/runtime.tar" "$work/holdfast-runtime"

mkdir -p "$work/holdfast/etc/holdfast/conf.d"
echo 'agent-uid = 10001' >"$work/holdfast/etc/holdfast/conf.d/10-agent-uid.toml"
# Others may pass through the state's folder and see nothing there: the inference process, which gets the store alone.
cat >"$work/holdfast.owners" <<'TXT'
var/lib/holdfast 10001 10001 0711
var/lib/holdfast/store 10001 10004 2750
run/holdfast 10001 10001 0750
run/holdfast-inference 10002 10003 0750
TXT
cat >"$work/holdfast.json" <<'TXT'
{"User": "10001:10001", "Env": ["PATH=/usr/bin", "LANG=C.UTF-8"], "Entrypoint": ["/usr/bin/holdfast"],
 "Cmd": ["agent", "--config", "/etc/holdfast/holdfast.toml"], "WorkingDir": "/", "StopSignal": "SIGTERM",
 "Volumes": {"/var/lib/holdfast": {}, "/run/holdfast": {}, "/run/holdfast-inference": {}}}
TXT
image holdfast "Agent and inference daemon for trusted models on a device"

echo 'var/lib/holdfast-fleet 10005 10005 0700' >"$work/holdfast-fleet.owners"
cat >"$work/holdfast-fleet.json" <<'TXT'
{"User": "10005:10005", "Env": ["PATH=/usr/bin", "LANG=C.UTF-8"], "Entrypoint": ["/usr/bin/fleet"],
 "Cmd": ["serve", "--dir", "/var/lib/holdfast-fleet"], "WorkingDir": "/", "StopSignal": "SIGTERM",
 "Volumes": {"/var/lib/holdfast-fleet": {}}}
TXT
image holdfast-fleet "The operator's command of a fleet of Holdfast devices, and its service"
