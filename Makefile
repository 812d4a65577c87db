# Builds into build/<lua>/pusher/*.so, one tree per Lua: 5.1 5.2 5.3 5.4 jit.
LUA      ?= 5.4
BUILD     = build/$(LUA)
LUA_PKG   = $(if $(filter jit,$(LUA)),luajit,lua$(LUA))
LUA_BIN   = $(if $(filter jit,$(LUA)),luajit,lua$(LUA))
CFLAGS   ?= -O2 -g
WARN      = -std=c99 -Wall -Wextra -Werror
CPPFLAGS += -D_POSIX_C_SOURCE=200809L $(shell pkg-config --cflags $(LUA_PKG))
SO_FLAGS  = -fPIC -shared -fvisibility=hidden

CRYPTO_SRC = src/crypto.c src/mac.c src/secretbox.c
CURL_SRC   = src/curl.c src/curl_transfer.c src/curl_easy.c

build: $(BUILD)/pusher/crypto.so $(BUILD)/pusher/curl.so

$(BUILD)/pusher/crypto.so: $(CRYPTO_SRC) $(wildcard src/*.h)
	@mkdir -p $(@D)
	$(CC) $(WARN) $(CFLAGS) $(CPPFLAGS) $(SO_FLAGS) -o $@ $(CRYPTO_SRC) $(LDFLAGS) -lcrypto -lsodium

$(BUILD)/pusher/curl.so: $(CURL_SRC) $(wildcard src/*.h)
	@mkdir -p $(@D)
	$(CC) $(WARN) $(CFLAGS) $(CPPFLAGS) $(SO_FLAGS) -o $@ $(CURL_SRC) $(LDFLAGS) -lcurl -lpthread

.PHONY: build
