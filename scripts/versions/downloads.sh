# Sourced: fetches what scripts/versions/pins lists, by the clients of the registries, and unpacks it.
#
# Each function prints the folder of what it got, below $cache. A file with another hash than the pinned one is refused.

folder_of() { # kind name version
  echo "$cache/$1-$2-$(echo "$3" | tr '+/~' '---')"
}

# Verifies a file by the pin of kind, name and version.
verify() { # kind name version file
  hash=$(awk -v k="$1" -v n="$2" -v v="$3" '$1 == k && $2 == n && $3 == v { print $4 }' "$versions/pins")
  [ -n "$hash" ] || { echo "no pin for $1 $2 $3" >&2; return 1; }
  echo "$hash  $4" | sha256sum --check --quiet >&2
}

# Runs `make_NAME FOLDER ARGS...` in a new folder and names it FOLDER when that has succeeded.
once() { # function folder [args...]
  final=$2
  if [ ! -e "$final" ]; then
    rm -rf "$final.part"
    mkdir -p "$final.part"
    (
      make=$1
      shift 2
      "$make" "$final.part" "$@"
    ) >&2
    mv "$final.part" "$final"
  fi
  echo "$final"
}

make_crate() { # folder name version
  mkdir "$1/src"
  : >"$1/src/lib.rs"
  printf '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s = "=%s"\n[workspace]\n' \
    "$2" "$3" >"$1/Cargo.toml"
  (cd "$1" && cargo fetch --quiet --target x86_64-unknown-linux-gnu)
  file=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/cache" -name "$2-$3.crate" | head -n 1)
  verify crate "$2" "$3" "$file"
  tar -xzf "$file" -C "$1" --strip-components 1
}

crate() { # name version
  once make_crate "$(folder_of crate "$1" "$2")" "$1" "$2"
}

# The shared libraries in a wheel for x86-64.
make_wheel() { # folder name version
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
    --implementation cp --abi cp311 --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
    -d "$1" "$2==$3"
  file=$(find "$1" -name '*.whl')
  verify wheel "$2" "$3" "$file"
  python3 -m zipfile -e "$file" "$1/all"
  mv "$1"/all/*.libs "$1/lib"
  for name in curl crypto ssl; do
    for file in "$1"/lib/lib$name-*.so*; do
      [ ! -e "$file" ] || ln -s "${file##*/}" "$1/lib/lib$name.so"
    done
  done
}

wheel() { # name version
  once make_wheel "$(folder_of wheel "$1" "$2")" "$1" "$2"
}

# apt-get with lists of its own, which also have sources and other architectures of this Debian; names its configuration.
make_debian() { # folder
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' | awk -v c="$codename" '$2 == c { print $1; exit }')
  key=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$key arch=i386,arm64] $site $codename main
deb-src [signed-by=$key] $site $codename main" >"$1/sources.list"
  cat >"$1/apt.conf" <<CONF
Dir::Etc::SourceList "$1/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$cache/debian-lists";
Dir::Cache "$cache/debian-lists/cache";
APT::Architectures { "amd64"; "i386"; "arm64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
CONF
  mkdir -p "$cache/debian-lists/partial" "$cache/debian-lists/cache/archives/partial"
  APT_CONFIG="$1/apt.conf" apt-get -qq -o APT::Update::Error-Mode=any update
  sed -i 's|/debian\.part/|/debian/|' "$1/apt.conf"
}

debian() {
  folder=$(once make_debian "$cache/debian")
  echo "$folder/apt.conf"
}

make_source() { # folder name version
  (
    APT_CONFIG=$(debian)
    export APT_CONFIG
    cd "$1"
    apt-get -qq source --download-only "$2=$3"
    verify source "$2" "$3" "$2_$3.dsc"
    dpkg-source --no-check -x "$2_$3.dsc" all
  )
}

# A source package of Debian, with Debian's patches. The .dsc, whose hash is pinned, has the hashes of the other files.
source_package() { # name version
  folder=$(once make_source "$(folder_of source "$1" "$2")" "$1" "$2")
  echo "$folder/all"
}

# Packages of another architecture, unpacked into one tree. apt verifies them by Debian's signature; Debian replaces the
# versions of a stable release and removes the old ones, so these are not pinned.
make_tree() { # folder architecture packages...
  (
    APT_CONFIG=$(debian)
    export APT_CONFIG
    cd "$1"
    architecture=$2
    shift 2
    # shellcheck disable=SC2046
    apt-get -qq download $(printf "%s:$architecture " "$@")
    for file in *.deb; do
      dpkg-deb -x "$file" .
    done
    rm ./*.deb
  )
}

debian_tree() { # architecture packages...
  once make_tree "$cache/debian-$1" "$@"
}
