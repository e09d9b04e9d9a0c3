#!/usr/bin/env bash
# Builds the Debian packages from a tree that was built: build.sh OUT. `./dev package` calls it.
#
# HOLDFAST_JDK: the JDK 25 that gives the runtime. HOLDFAST_ARCH: amd64, or arm64, whose runtime is linked here of the modules of Debian's JDK 25. HOLDFAST_PACKAGE_VERSION: another version than the pom's.
# SOURCE_DATE_EPOCH: the time of every file, that of the last commit if not given; the same input then gives the same bytes.
set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:?build.sh OUT}
mkdir -p "$out"
out=$(cd "$out" && pwd)
jdk=${HOLDFAST_JDK:?HOLDFAST_JDK is not set}
here=$root/packaging
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
version=${HOLDFAST_PACKAGE_VERSION:-$(sed -n 's|^  <version>\(.*\)</version>|\1|p' "$root/pom.xml" | head -n 1)}
arch=${HOLDFAST_ARCH:-amd64}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Where the runtime is from. Temurin has no modules of Java for another processor than its own (JEP 493); Debian's JDK has them.
case $arch in
    amd64)
        vendor="Eclipse Adoptium" jmods='' needs="libc6 (>= 2.34)"
        java=$(sed -n 's/^JAVA_RUNTIME_VERSION="\([^"-]*\).*"/\1/p' "$jdk/release")
        ;;
    arm64)
        vendor=Debian needs="libc6 (>= 2.38), libgcc-s1, libstdc++6, zlib1g"
        debs=${XDG_CACHE_HOME:-$HOME/.cache}/holdfast/jdk-trixie-$arch
        "$here/fetch-debs" trixie "$arch" "$debs" openjdk-25-jdk-headless
        dpkg-deb -x "$debs"/openjdk-25-jdk-headless_*.deb "$work/jdk"
        jmods=$(echo "$work"/jdk/usr/lib/jvm/java-25-openjdk-*/jmods)
        java=$(dpkg-deb -f "$debs"/openjdk-25-jdk-headless_*.deb Version | cut -d - -f 1)
        ;;
    *) echo "build.sh: no runtime is known for $arch (amd64, arm64)" >&2; exit 2 ;;
esac
# It changes with the JDK and the list of modules alone: a device does not fetch it again for each version of the programs.
runtime_version=$java-$(cat "$here/runtime.revision")

say() { printf '%s\n' "$*" >&2; }

# --- Parts -----------------------------------------------------------------------------------------------------------

modules() { grep -v '^#' "$here/runtime.modules" | sort -u; }

# Every module of Java that a jar names is in the runtime, or listed as one that it does without.
check_modules() { # folder of jars
    local missing
    missing=$("$jdk/bin/jdeps" --multi-release 25 --ignore-missing-deps -s --class-path "$1/*" "$1"/*.jar 2>/dev/null |
        sed -nE 's/^(.+) -> ((java|jdk)\.[a-z.]+)$/\1 \2/p' | sed -E 's/-[0-9][^ ]*\.jar / /' | sort -u |
        grep -vxFf <(grep -v '^#' "$here/runtime.optional") | grep -vE " ($(modules | paste -sd'|'))\$" || true)
    [ -z "$missing" ] || { say "packaging/runtime.modules lacks: $missing"; exit 1; }
}

# The jars of the programs, each once, in the folder jars of HOME; lib/PROGRAM links to those of its class path, and to no other.
# They are packed without compression: xz makes less of them than of what deflate has left, and Java has nothing to unpack. And without the
# signatures of Bouncy Castle's jars: OpenJDK does not ask for them, xz finds nothing in their 25,000 hashes, and the JVM, which would check
# each class at its start, leaves the classes of signed jars out of start-up caches. The bill of materials names the hash of the signed jar.
put_jars() { # HOME, PROGRAM=FOLDER...
    local home=$1 pair program jar
    shift
    mkdir -p "$home/jars" "$home/lib"
    for pair in "$@"; do
        program=${pair%%=*}
        mkdir -p "$home/lib/$program"
        for jar in "${pair#*=}"/*.jar; do
            [ -f "$home/jars/${jar##*/}" ] || cp "$jar" "$home/jars/"
            ln -s "../../jars/${jar##*/}" "$home/lib/$program/${jar##*/}"
        done
    done
    # Another processor's native code is not run here.
    case $arch in amd64) other=aarch_64 ;; arm64) other=x86_64 ;; esac
    rm -f "$home"/jars/*linux-"$other"*.jar "$home"/lib/*/*linux-"$other"*.jar
    check_modules "$home/jars"
    "$jdk/bin/java" -cp "$root/packaging/target/lib/*" dev.holdfast.packaging.NewerClasses "$home"/jars/*.jar >&2
    case $arch in amd64) native=x86_64 ;; arm64) native=aarch64 ;; esac
    python3 - "$home/jars" "$native" <<'PY'
import os, re, sys, time, zipfile
epoch = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name)
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(path + ".stored", "w", zipfile.ZIP_STORED) as stored:
        signed = any(re.fullmatch(r"META-INF/[^/]+\.SF", entry.filename) for entry in packed.infolist())
        for entry in packed.infolist():
            content = b"" if entry.is_dir() else packed.read(entry)
            if signed and entry.filename == "META-INF/MANIFEST.MF":
                # What follows the first empty line is a hash for each file.
                content = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0] + b"\n\n"
            # aircompressor's native libraries for four systems: its Java is what is used, and what is not there loads nothing.
            if re.match(r"aircompressor/[a-z]+-[a-z0-9]+/", entry.filename):
                continue
            # SQLite for other systems and processors.
            if entry.filename.startswith("org/sqlite/native/") and not entry.filename.startswith(f"org/sqlite/native/Linux/{sys.argv[2]}/"):
                continue
            if not entry.is_dir() and not (signed and re.fullmatch(r"META-INF/[^/]+\.(SF|RSA|DSA|EC)", entry.filename)):
                stored.writestr(zipfile.ZipInfo(entry.filename, epoch), content)
    os.replace(path + ".stored", path)
PY
}

install_file() { # MODE FILE PLACE
    install -D -m "$1" "$2" "$3"
}

put_pages() { # PROGRAM ROOT
    local page
    for page in "$work/pages/$1"/man/*; do install_file 0644 "$page" "$2/usr/share/man/man${page##*.}/${page##*/}"; done
    find "$2/usr/share/man" -type f -exec gzip -9n {} +
    install_file 0644 "$work/pages/$1/completion.bash" "$2/usr/share/bash-completion/completions/$1"
    install_file 0644 "$work/pages/$1/completion.zsh" "$2/usr/share/zsh/vendor-completions/_$1"
    install_file 0644 "$work/pages/$1/completion.fish" "$2/usr/share/fish/vendor_completions.d/$1.fish"
}

put_doc() { # PACKAGE ROOT
    local doc=$2/usr/share/doc/$1
    mkdir -p "$doc"
    cp "$root/CHANGELOG.md" "$doc/changelog"
    gzip -9n "$doc/changelog"
}

# control, its scripts and the checksums; then the package.
pack() { # PACKAGE ROOT VERSION
    local package=$1 tree=$2 script
    mkdir -p "$tree/DEBIAN"
    for script in "$here/deb/$package"/*; do
        case "${script##*/}" in
            control)
                sed -e "s/@VERSION@/$3/" -e "s/@NEEDS@/$needs/" -e "s/@RUNTIME@/${runtime_version%-*}/" -e "s/@ARCH@/$arch/" \
                    -e "s/@SIZE@/$(du -sk --apparent-size --exclude=DEBIAN "$tree" | cut -f 1)/" "$script" >"$tree/DEBIAN/control"
                ;;
            conffiles | triggers) cp "$script" "$tree/DEBIAN/" ;;
            *) install -m 0755 "$script" "$tree/DEBIAN/" ;;
        esac
    done
    (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    chmod -R u+rwX,go+rX,go-w "$tree"
    find "$tree" -print0 | xargs -0 touch --no-dereference --date "@$SOURCE_DATE_EPOCH"
    dpkg-deb --root-owner-group -Zxz -z9 --build "$tree" "$out/${package}_${3}_$arch.deb" >/dev/null
    say "$(stat -c '%s %n' "$out/${package}_${3}_$arch.deb")"
}

# --- holdfast-runtime ------------------------------------------------------------------------------------------------

runtime() {
    local tree=$work/holdfast-runtime home
    home=$tree/usr/lib/holdfast-runtime
    mkdir -p "$tree/usr/lib"
    # The image of modules stays uncompressed: xz makes less of it, and Java has nothing to unpack at each start.
    # Native code of another processor has been stripped by whoever built it.
    local strip=(--strip-debug)
    [ -z "$jmods" ] || strip=(--strip-java-debug-attributes --module-path "$jmods")
    "$jdk/bin/jlink" --add-modules "$(modules | paste -sd,)" "${strip[@]}" --no-man-pages --no-header-files --output "$home" 2>&1 |
        grep -v 'WARNING: Using incubator modules' >&2 || true
    # Debian's JDK takes the machine's own; here it comes with the runtime.
    [ -e "$home/lib/security/cacerts" ] || cp "$jdk/lib/security/cacerts" "$home/lib/security/cacerts"
    [ -x "$home/bin/java" ]
    find "$home/bin" -type f ! -name java -delete
    put_doc holdfast-runtime "$tree"
    sed "s/@VENDOR@/$vendor/" "$here/deb/runtime.copyright" >"$tree/usr/share/doc/holdfast-runtime/copyright"
    "$jdk/bin/java" -cp "$root/packaging/target/lib/*" dev.holdfast.packaging.BillOfMaterials runtime "$vendor" \
        "${runtime_version%-*}" "$tree/usr/share/doc/holdfast-runtime" $(modules)
    pack holdfast-runtime "$tree" "$runtime_version"
}

# --- holdfast --------------------------------------------------------------------------------------------------------

device() {
    local tree=$work/holdfast home unit
    home=$tree/usr/lib/holdfast
    put_jars "$home" "agent=$root/agent/daemon/target/lib" "inference=$root/inference/daemon/target/lib" \
        "bridge=$root/control/bridge/target/lib" "cli=$root/agent/cli/target/lib"
    ln -s ../holdfast-runtime "$home/runtime"
    install_file 0755 "$root/systemd/bin/holdfast" "$tree/usr/bin/holdfast"
    install_file 0755 "$here/start-caches" "$home/start-caches"
    install_file 0644 "$work/start.gguf" "$home/start.gguf"
    for options in "$root"/systemd/jvm/*.options; do install_file 0644 "$options" "$home/jvm/${options##*/}"; done
    for unit in "$root"/systemd/units/holdfast{,-inference,-bridge,-last-evidence}.service; do
        install_file 0644 "$unit" "$tree/usr/lib/systemd/system/${unit##*/}"
    done
    install_file 0644 "$root/systemd/system-preset/80-holdfast.preset" "$tree/usr/lib/systemd/system-preset/80-holdfast.preset"
    install_file 0644 "$root/systemd/sysusers.d/holdfast.conf" "$tree/usr/lib/sysusers.d/holdfast.conf"
    install_file 0644 "$root/systemd/tmpfiles.d/holdfast.conf" "$tree/usr/lib/tmpfiles.d/holdfast.conf"
    install_file 0644 "$here/holdfast.toml" "$tree/etc/holdfast/holdfast.toml"
    put_pages holdfast "$tree"
    put_doc holdfast "$tree"
    cp "$root/docs/ARCHITECTURE.md" "$root/docs/provisioning.md" "$root/docs/codes.md" "$root/docs/configuration.md" "$root/docs/commands.md" "$root/docs/broker.md" "$root/docs/protocol/application-api.md" \
        "$tree/usr/share/doc/holdfast/"
    bill holdfast "$tree"
    pack holdfast "$tree" "$version"
}

# --- holdfast-fleet --------------------------------------------------------------------------------------------------

fleet() {
    local tree=$work/holdfast-fleet home
    home=$tree/usr/lib/holdfast-fleet
    put_jars "$home" "fleet=$root/fleet/cli/target/lib"
    ln -s ../holdfast-runtime "$home/runtime"
    install_file 0755 "$root/systemd/bin/holdfast" "$tree/usr/bin/fleet"
    install_file 0755 "$here/start-caches" "$home/start-caches"
    install_file 0644 "$work/start.gguf" "$home/start.gguf"
    for options in "$root"/systemd/jvm/{common,command,kernels}.options; do install_file 0644 "$options" "$home/jvm/${options##*/}"; done
    install_file 0644 "$root/systemd/units/holdfast-fleet.service" "$tree/usr/lib/systemd/system/holdfast-fleet.service"
    install_file 0644 "$root/systemd/system-preset/80-holdfast-fleet.preset" "$tree/usr/lib/systemd/system-preset/80-holdfast-fleet.preset"
    install_file 0644 "$root/systemd/sysusers.d/holdfast-fleet.conf" "$tree/usr/lib/sysusers.d/holdfast-fleet.conf"
    install_file 0644 "$root/systemd/tmpfiles.d/holdfast-fleet.conf" "$tree/usr/lib/tmpfiles.d/holdfast-fleet.conf"
    put_pages fleet "$tree"
    put_doc holdfast-fleet "$tree"
    mkdir -p "$tree/usr/share/doc/holdfast-fleet/examples"
    cp "$root"/systemd/broker/* "$tree/usr/share/doc/holdfast-fleet/examples/"
    bill holdfast-fleet "$tree"
    pack holdfast-fleet "$tree" "$version"
}

# The bill of materials of a package, and its copyright file, from what Maven resolved for its programs.
bill() { # PACKAGE ROOT
    local package=$1 tree=$2
    "$jdk/bin/java" -cp "$root/packaging/target/lib/*" dev.holdfast.packaging.BillOfMaterials programs "$package" "$version" \
        "$tree/usr/lib/$package/jars" "$tree/usr/share/doc/$package" "$root/packaging/target/bom.json"
    cat "$here/deb/copyright.head" "$tree/usr/share/doc/$package/licences" >"$tree/usr/share/doc/$package/copyright"
    rm "$tree/usr/share/doc/$package/licences"
}

rm -f "$out"/*_"$arch".deb
"$jdk/bin/java" --add-modules jdk.incubator.vector -cp "$root/packaging/target/lib/*" dev.holdfast.packaging.CommandPages "$version" "$work/pages"
"$jdk/bin/java" -cp "$root/packaging/target/lib/*" dev.holdfast.packaging.StartModel "$work/start.gguf"
runtime
device
fleet
