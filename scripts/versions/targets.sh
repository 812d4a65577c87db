# Sourced: what is tested with one version each; a target ends with the line "N passed, M failed" of its specs.

tree_of() { # target; below the working directory, as scripts/specs wants it
  echo "build/versions/trees/$1"
}

CURL="spec/curl_spec.lua spec/curl spec/transport/curl_spec.lua spec/transport/async_spec.lua spec/transport/async
  spec/transport/tls_spec.lua"
CORE="spec/core_spec.lua spec/core spec/channels/auth_spec.lua spec/channels/encryption_spec.lua
  spec/channels/webhook_spec.lua spec/base/jwt_spec.lua"

# Fails unless a built module uses this library.
uses() { # module.so path-of-library
  ldd "$1" | grep -qF "$2" || { echo "$1 does not use $2" >&2; ldd "$1" >&2; return 1; }
}

# Builds with a libcurl and its OpenSSL, each a folder with lib/ and perhaps include/, and runs the specs of both.
curl_and_openssl() { # name libcurl openssl version [more specs...]
  tree=$(tree_of "$1") libcurl=$2 openssl=$3 version=$4
  shift 4
  make -s build test-modules LUA=5.4 BUILD="$tree" \
    CURL_LIBS="-I$libcurl/include -L$libcurl/lib -lcurl -lpthread -Wl,-rpath,$libcurl/lib" \
    CORE_LIBS="-I$openssl/include -L$openssl/lib -lcrypto -lsodium -Wl,-rpath,$openssl/lib"
  uses "$tree/pusher/core.so" "$openssl/lib/libcrypto"
  LUA_CPATH="$tree/?.so" lua5.4 -e "local got = require('pusher.curl').LIBCURL assert(got:find('libcurl/$version', 1, true) == 1, got)"
  # shellcheck disable=SC2086
  BUILD=$tree scripts/specs 5.4 $CURL $CORE "$@"
}

# What libcurl has only since 7.80: HTTP/2 as we use it, the end of a connection that has sent too much, a limit for a
# proxy's headers; since 7.87: an end that does not wait for a name server. OpenSSL 1.1.1 has no providers.
without_new_parts() {
  for pattern in HTTP/2 share.one.connection as.the.next.response no.tunnel:.flood nobody.resolves name.server.that no.digests; do
    echo "--filter-out=$pattern"
  done
}

wheel_of_pycurl() { # version-of-pycurl version-of-libcurl [more...]
  folder=$(wheel pycurl "$1") version=$2
  shift 2
  curl_and_openssl "libcurl-$version" "$folder" "$folder" "$version" "$@"
}

# Another architecture, without its libcurl: what computes. Its programs run by `run`, a command or nothing.
other_architecture() { # architecture compiler run
  tree=$(tree_of "$1")
  root=$(debian_tree "$1" libc6 libgcc-s1 libstdc++6 lua5.4 liblua5.4-0 libreadline8 libtinfo6 libssl3 libssl-dev libsodium23 \
    libsodium-dev liblua5.4-dev lua-cjson lua-filesystem lua-system lua-term)
  triplet=$("$2" -dumpmachine | sed 's/^i686/i386/')
  library=$root/usr/lib/$triplet
  # Not what pkg-config knows: that is this machine's.
  PKG_CONFIG_LIBDIR=/nonexistent make -s "$tree/pusher/core.so" "$tree/pusher_test/process.so" LUA=5.4 BUILD="$tree" CC="$2" \
    CPPFLAGS="-I$root/usr/include/lua5.4 -I$root/usr/include/$triplet -I$root/usr/include" NEEDED="lua.h openssl/evp.h sodium.h" \
    CORE_LIBS="-I$root/usr/include -L$library -lcrypto -lsodium"
  cat >"$tree/lua" <<RUN
#!/bin/sh
export LUA_CPATH="\$LUA_CPATH;$library/lua/5.4/?.so"
exec $3 $(find "$root" -name 'ld-linux*.so*' | head -n 1) --library-path "$library:$root/lib/$triplet" "$root/usr/bin/lua5.4" "\$@"
RUN
  chmod +x "$tree/lua"
  # shellcheck disable=SC2086
  LUA_BIN=$tree/lua BUILD=$tree scripts/specs 5.4 $CORE spec/channels spec/push/tinode spec/base/http_spec.lua \
    spec/base/json_spec.lua spec/base/cjson_spec.lua spec/base/long_integers_spec.lua
}

run_target() { # name
  case $1 in
    lua-5.5.1)
      lua=$(lua_55)
      tree=$(tree_of "$1")
      make -s build test-modules LUA=5.5 BUILD="$tree" CPPFLAGS="-I$lua"
      # luv cannot be had for 5.5, whose collector also skips some of the allocations at which finalizers are to run.
      LUA_BIN=$lua/lua5.5 BUILD=$tree scripts/specs 5.5 '--filter-out=docs/hosts.md:%d+ runs %(client%)' \
        --exclude-pattern=hostile_finalizers spec
      ;;
    luajit-head)
      lua=$(luajit)
      tree=$(tree_of "$1")
      make -s build test-modules LUA=jit BUILD="$tree" CPPFLAGS="-I$lua/src"
      # shellcheck disable=SC2086
      LUA_BIN=$lua/src/luajit BUILD=$tree scripts/specs jit $CORE $CURL spec/base spec/channels spec/transport/ngx_spec.lua \
        spec/transport/ngx spec/publisher_spec.lua spec/publisher
      ;;
    libcurl-7.68.0) # with OpenSSL 1.1.1w
      openssl=$(openssl_111)
      folder=$(libcurl 0.4.29+curl-7.68.0 "$openssl")
      CURL="spec/curl_spec.lua spec/curl spec/transport/curl_spec.lua spec/transport/async_spec.lua spec/transport/tls_spec.lua
        spec/transport/async/fork_in_flight_spec.lua spec/transport/async/limits_spec.lua spec/transport/async/thread_spec.lua"
      curl_and_openssl "$1" "$folder" "$openssl" 7.68.0 $(without_new_parts)
      ;;
    libcurl-8.12.1) wheel_of_pycurl 7.45.6 8.12.1 ;; # OpenSSL 3.4.1
    # OpenSSL 3.5.3. This libcurl, and no other, cancels threads inside getaddrinfo(3), which leaks a descriptor.
    libcurl-8.16.0) wheel_of_pycurl 7.45.7 8.16.0 --filter-out=its.descriptors.with.it..after.close ;;
    libcurl-8.21.0) wheel_of_pycurl 7.47.0 8.21.0 ;; # OpenSSL 3.6.3
    libcurl-8.22.0)                                  # with OpenSSL 4.0.3
      openssl=$(openssl_4)
      folder=$(libcurl 0.4.91+curl-8.22.0 "$openssl")
      curl_and_openssl "$1" "$folder" "$openssl" 8.22.0
      ;;
    libcurl-8.23.0) wheel_of_pycurl 7.49.0 8.23.0 spec/transport/wire_spec.lua ;; # OpenSSL 3.6.5
    libsodium-1.0.22)
      folder=$(libsodium)/src/libsodium
      tree=$(tree_of "$1")
      make -s build test-modules LUA=5.4 BUILD="$tree" \
        CORE_LIBS="-I$folder/include -L$folder/.libs -lsodium -lcrypto -Wl,-rpath,$folder/.libs"
      uses "$tree/pusher/core.so" "$folder/.libs/libsodium"
      # shellcheck disable=SC2086
      BUILD=$tree scripts/specs 5.4 $CORE
      ;;
    i386) other_architecture i386 i686-linux-gnu-gcc "" ;;
    arm64) other_architecture arm64 aarch64-linux-gnu-gcc qemu-aarch64-static ;;
    builds)
      PUSHER_LUA_55=$(lua_55)
      export PUSHER_LUA_55
      scripts/specs 5.4 spec/system/versions_check.lua
      ;;
    *)
      echo "no such target: $1" >&2
      return 1
      ;;
  esac
}
