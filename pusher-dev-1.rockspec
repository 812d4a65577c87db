rockspec_format = "3.0"
package = "pusher"
version = "dev-1"

-- `make rockspec VERSION=x.y.z` makes the rockspec of a release from this one: version and source are other ones there.
source = { url = "git+https://github.com/pusher-lua/pusher-http-lua.git" }

description = {
  summary = "Server library for Pusher Channels and servers that speak its protocol",
  detailed = [[
    Publishes events, queries channels, authorizes subscribers, authenticates users, checks webhooks,
    encrypts end to end and sends push notifications. For plain Lua, OpenResty and game servers.]],
  homepage = "https://github.com/pusher-lua/pusher-http-lua",
  issues_url = "https://github.com/pusher-lua/pusher-http-lua/issues",
  maintainer = "pusher for Lua authors",
  labels = { "pusher", "websocket", "openresty", "push", "network" },
  license = "MIT",
}

dependencies = { "lua >= 5.1, < 5.6", "lua-cjson >= 2.1.0" }

-- Only the libraries are named: with a header, LuaRocks does not find Debian's multiarch folders.
external_dependencies = {
  CRYPTO = { library = "crypto" },
  SODIUM = { library = "sodium" },
  CURL = { library = "curl" },
}

-- The Lua modules need no list: the builtin build installs what is in lua/.
build = {
  type = "builtin",
  modules = {
    ["pusher.core"] = {
      sources = {
        "src/core/base64.c", "src/core/channel_auth.c", "src/core/core.c", "src/core/digest.c",
        "src/core/encrypted_channel.c", "src/core/file.c", "src/core/forks.c", "src/core/json_text.c", "src/core/mac.c",
        "src/core/rsa.c", "src/core/scratch.c", "src/core/utf8.c", "src/core/webhook.c",
      },
      defines = { "_POSIX_C_SOURCE=200809L", "_FORTIFY_SOURCE=2" },
      libraries = { "crypto", "sodium", "pthread" },
      incdirs = { "$(CRYPTO_INCDIR)", "$(SODIUM_INCDIR)" },
      libdirs = { "$(CRYPTO_LIBDIR)", "$(SODIUM_LIBDIR)" },
    },
    ["pusher.curl"] = {
      sources = {
        "src/curl/async.c", "src/curl/buffer.c", "src/curl/configure.c", "src/curl/curl.c", "src/curl/easy.c",
        "src/curl/fields.c", "src/curl/jobs.c", "src/curl/libcurl.c", "src/curl/limits.c", "src/curl/network.c",
        "src/curl/observe.c", "src/curl/quiesce.c", "src/curl/request.c", "src/curl/result.c", "src/curl/settings.c",
        "src/curl/sockets.c", "src/curl/transfer.c", "src/curl/wakeup.c", "src/curl/worker.c",
      },
      defines = { "_POSIX_C_SOURCE=200809L", "_FORTIFY_SOURCE=2" },
      libraries = { "curl", "pthread" },
      incdirs = { "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
    },
  },
  copy_directories = { "docs", "examples", "types" },
}

test_dependencies = { "busted" }
test = { type = "busted" }
