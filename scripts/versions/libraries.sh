# Sourced: builds libraries and Luas from what downloads.sh gets; each function prints the folder of what it built.

jobs=$(nproc)

# ---- OpenSSL ----

# 1.1.1w: the libraries of a wheel, with the headers of the sources.
make_openssl_111() { # folder
  sources=$(crate openssl-src 111.28.2+1.1.1w)/openssl
  libraries=$(wheel psycopg2-binary 2.9.10)/lib
  (cd "$sources" && perl Configure linux-x86_64 shared && make -s include/openssl/opensslconf.h) >/dev/null
  ln -s "$sources/include" "$1/include"
  ln -s "$libraries" "$1/lib"
}

openssl_111() {
  once make_openssl_111 "$cache/openssl-1.1.1w"
}

# Without optimization and most algorithms, to take one minute instead of five. The crate has what a static library needs.
make_openssl_4() { # folder
  cp -r "$(crate openssl-src 400.0.2+4.0.3)/openssl/." "$1"
  (
    cd "$1"
    perl Configure linux-x86_64 no-shared no-tests no-apps no-docs no-module no-legacy no-dso no-quic no-cmp no-cms no-ts \
      no-srp no-slh-dsa no-lms no-aria no-camellia no-idea no-seed no-sm2 no-sm3 no-sm4 no-bf no-cast no-des no-rc2 no-rc4 \
      no-md4 no-rmd160 no-whirlpool no-ocb no-siphash no-blake2 no-scrypt -O0 -fPIC
    make -s -j"$jobs" build_generated
    make -s -j"$jobs" libcrypto.a libssl.a
  ) >/dev/null
  mkdir "$1/lib"
  whole() { # name other-flags...
    library=$1
    shift
    cc -shared -Wl,-soname,"$library.so" -o "$folder/lib/$library.so" -Wl,--whole-archive "$folder/$library.a" \
      -Wl,--no-whole-archive "$@"
  }
  folder=$1
  whole libcrypto -lpthread
  whole libssl -L"$1/lib" -lcrypto "-Wl,-rpath,$cache/openssl-4.0.3/lib"
}

openssl_4() { # folder
  cp -r "$(crate openssl-src 400.0.2+4.0.3)/openssl/." "$1"
  (
    cd "$1"
    perl Configure linux-x86_64 shared no-tests no-apps no-docs no-module no-legacy no-dso no-quic no-cmp no-cms no-ts \
      no-srp no-slh-dsa no-lms no-aria no-camellia no-idea no-seed no-sm2 no-sm3 no-sm4 no-bf no-cast no-des no-rc2 no-rc4 \
      no-md4 no-rmd160 no-whirlpool no-ocb no-siphash no-blake2 no-scrypt -O0 >/dev/null
    make -s -j"$jobs" build_libs
    mkdir lib
    ln -s ../libssl.so ../libcrypto.so ../libssl.so.4 ../libcrypto.so.4 lib
  )
}

openssl_4() {
  once make_openssl_4 "$cache/openssl-4.0.3"
}

# ---- libcurl ----

make_libcurl() { # folder curl-sys's-version openssl
  sources=$(crate curl-sys "$2")/curl
  mkdir "$1/objects" "$1/lib"
  ln -s "$sources/include" "$1/include"
  (
    cd "$sources/lib"
    find . -name '*.c' ! -name dllmain.c | sed 's|^\./||' | xargs -P "$jobs" -I FILE sh -c '
      out=$(echo FILE | tr / _)
      exec cc -w -O1 -fPIC -fvisibility=hidden -D_GNU_SOURCE -DHAVE_CONFIG_H -DBUILDING_LIBCURL -DCURL_HIDDEN_SYMBOLS \
        -I"$0" -I../include -I. -I"$1/include" -c -o "$2/objects/$out.o" FILE' "$versions" "$3" "$1"
  )
  cc -shared -Wl,-soname,libcurl.so.4 -o "$1/lib/libcurl.so" "$1"/objects/*.o -L"$3/lib" -lssl -lcrypto -lnghttp2 -lpthread \
    "-Wl,-rpath,$(cd "$3/lib" && pwd -P)"
  ln -s libcurl.so "$1/lib/libcurl.so.4"
}

libcurl() { # curl-sys's-version openssl
  once make_libcurl "$cache/libcurl-${1#*curl-}" "$1" "$2"
}

# ---- libsodium ----

make_libsodium() { # folder
  tar -xzf "$(crate libsodium-sys-stable 1.24.3)/LATEST.tar.gz" -C "$1" --strip-components 1
  (cd "$1" && ./configure --quiet --disable-static CFLAGS=-O1 && make -s -j"$jobs" -C src/libsodium) >/dev/null
}

libsodium() {
  once make_libsodium "$cache/libsodium"
}

# ---- Lua ----

# Lua 5.5 finds what busted needs: the Lua files that Debian has for 5.4, and the C modules of lua_55_modules. Two of
# them assign to the variable of a `for`.
make_lua_55() { # folder
  mkdir -p "$1/share/pl" "$1/share/busted/modules/files"
  sed 's/^ *k = cycle_aware_copy/local &/' /usr/share/lua/5.4/pl/tablex.lua >"$1/share/pl/tablex.lua"
  sed "s/^ *line = rewrite_one(line, '%s/local &/; s/^ *line = rewrite_one(line, '</local &/" \
    /usr/share/lua/5.4/busted/modules/files/moonscript.lua >"$1/share/busted/modules/files/moonscript.lua"
  cp "$(crate lua-src 551.1.0)"/lua-5.5.1/*.[ch] spec/system/lua_host.c "$1"
  cc -std=gnu99 -O2 -DLUA_USE_LINUX -I"$1" -Wl,-E -o "$1/lua5.5" "$1"/*.c -lm -ldl \
    "-DLUA_PATH_DEFAULT=\"$versions/lua/?.lua;$cache/lua-5.5.1/share/?.lua;/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua\"" \
    "-DLUA_CPATH_DEFAULT=\"$cache/lua-5.5.1/lib/?.so\""
}

# lua-filesystem of Debian 12 does not know 5.5, which changes nothing for it.
make_lua_55_modules() { # folder lua
  sources=$(source_package lua-cjson 2.1.0+dfsg-2.2)
  (cd "$sources" && cc -w -O2 -fPIC -shared -I"$2" -o "$1/cjson.so" lua_cjson.c strbuf.c fpconv.c)
  sources=$(source_package lua-filesystem 1.8.0-3)
  sed -i 's/LUA_VERSION_NUM <= 504/LUA_VERSION_NUM <= 505/' "$sources/src/lfs.c"
  cc -w -O2 -fPIC -shared -I"$2" -o "$1/lfs.so" "$sources/src/lfs.c"
}

lua_55() {
  lua=$(once make_lua_55 "$cache/lua-5.5.1")
  once make_lua_55_modules "$lua/lib" "$lua" >/dev/null
  echo "$lua"
}

# With Debian's paths.
make_luajit() { # folder
  sources=$(crate luajit-src 210.7.4+c6ffc14)
  cp -r "$sources/luajit2/." "$1"
  cp "$sources/luajit_relver.txt" "$1/.relver"
  make -s -C "$1" -j"$jobs" PREFIX=/usr MULTILIB="lib/$(cc -dumpmachine)" >/dev/null
}

luajit() {
  once make_luajit "$cache/luajit"
}
