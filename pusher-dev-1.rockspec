rockspec_format = "3.0"
package = "pusher"
version = "dev-1"

-- `luarocks make` builds from the checkout and never looks here.
source = { url = "." }

description = {
  summary = "Server library for Pusher Channels and servers that speak its protocol",
  detailed = [[
    Publishes events, asks about channels, authorizes subscribers, signs users in, checks webhooks,
    encrypts end to end and sends push notifications. For plain Lua, OpenResty and game servers.]],
  license = "MIT",
}

dependencies = { "lua >= 5.1, < 5.5", "lua-cjson >= 2.1.0" }

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
    ["pusher.crypto"] = {
      sources = {
        "src/crypto.c", "src/clock.c", "src/digest.c", "src/mac.c", "src/base64.c", "src/utf8.c", "src/names.c",
        "src/secretbox.c",
        "src/rsa.c",
      },
      defines = { "_POSIX_C_SOURCE=200809L" },
      libraries = { "crypto", "sodium" },
      incdirs = { "$(CRYPTO_INCDIR)", "$(SODIUM_INCDIR)" },
      libdirs = { "$(CRYPTO_LIBDIR)", "$(SODIUM_LIBDIR)" },
    },
    ["pusher.curl"] = {
      sources = {
        "src/curl.c", "src/curl_buffer.c", "src/curl_settings.c", "src/curl_request.c", "src/curl_sockets.c",
        "src/curl_transfer.c", "src/curl_outcome.c", "src/curl_easy.c", "src/curl_poller.c", "src/curl_jobs.c",
        "src/curl_engine.c", "src/curl_step.c", "src/curl_multi.c",
      },
      defines = { "_POSIX_C_SOURCE=200809L" },
      libraries = { "curl", "pthread" },
      incdirs = { "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
    },
  },
  copy_directories = {},
}

test_dependencies = { "busted" }
test = { type = "busted" }
