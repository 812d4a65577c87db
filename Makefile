# Builds, tests and installs. `make help` lists all targets.
#
# Each Lua has its own tree, build/<LUA>/pusher/{core,curl}.so, where LUA is 5.1, 5.2, 5.3, 5.4, 5.5 or jit. LUA_VERSION
# is another name for it.
# `make build` and `make install` need nothing but the library's own dependencies. The targets that test, measure or
# show something first let scripts/setup install the tools that are missing.

LUA_VERSION ?= 5.4
# On the command line, either one overrides what the environment has.
ifeq ($(origin LUA_VERSION),command line)
LUA         := $(LUA_VERSION)
endif
LUA         ?= $(LUA_VERSION)
# lua5.4, luajit and paths to them are accepted, too.
override LUA := $(patsubst lua%,%,$(notdir $(LUA)))
LUAS         = 5.1 5.2 5.3 5.4 jit
ifeq ($(filter $(LUAS) 5.5,$(LUA)),)
$(error LUA=$(LUA) is not known: it is one of $(LUAS) 5.5)
endif
BUILD        = build/$(LUA)

PREFIX      ?= /usr/local
LUA_ABI      = $(if $(filter jit,$(LUA)),5.1,$(LUA))
INTERPRETER  = $(if $(filter jit,$(LUA)),luajit,lua$(LUA))
INST_LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_ABI)
INST_LUADIR ?= $(PREFIX)/share/lua/$(LUA_ABI)

# ---- build ------------------------------------------------------------------------------------------------

CORE_SRC    = $(sort $(wildcard src/core/*.c))
CURL_SRC    = $(sort $(wildcard src/curl/*.c))

# As lua.h has it; LuaJIT's says 501.
LUA_NUM     = 5$(subst .,0,$(patsubst 5%,%,$(LUA_ABI)))
# Distributions name the same .pc file lua5.4, lua-5.4, lua54 or just lua, which may be another version's.
LUA_PC      = $(shell for pc in $(if $(filter jit,$(LUA)),luajit,lua$(LUA) lua-$(LUA) lua$(subst .,,$(LUA)) lua); do \
                case $$pc$$(pkg-config --modversion $$pc 2>/dev/null) in (luajit?*|lua*$(LUA).*) echo $$pc; break ;; esac; done)
LUA_PACKAGE = $(if $(filter jit,$(LUA)),libluajit2-5.1-dev,liblua$(patsubst 5.1,5.1-0,$(LUA))-dev)
PC          = $(shell pkg-config $(1) 2>/dev/null || echo $(2))
LUA_FLAGS   = $(if $(LUA_PC),$(shell pkg-config --cflags $(LUA_PC)),$(OWN_LUAJIT))
# OpenResty's packages have headers of their own LuaJIT, but no .pc file in pkg-config's path.
OPENRESTY_PREFIX ?= /usr/local/openresty
OWN_LUAJIT  = $(if $(filter jit,$(LUA)),$(addprefix -I,$(wildcard $(OPENRESTY_PREFIX)/luajit/include/luajit-2.1)))
# Where the libraries are, if not where the compiler looks, such as Homebrew's: CURL_DIR="$$(brew --prefix curl)".
DIR_FLAGS   = $(foreach dir,$(CRYPTO_DIR) $(SODIUM_DIR) $(CURL_DIR),-I$(dir)/include -L$(dir)/lib -Wl,-rpath,$(dir)/lib)
CFLAGS     ?= -O2 -g
# What the compiler and the linker add against overflows. FORTIFY needs optimization; macOS's linker has no -z.
FORTIFY     = $(if $(filter -O1 -O2 -O3 -Os,$(CFLAGS)),$(if $(findstring -fsanitize,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2))
HARDEN     ?= -fstack-protector-strong $(FORTIFY)
WARN       ?= -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
C_FLAGS     = -std=c99 $(WARN) -fPIC -fvisibility=hidden -D_POSIX_C_SOURCE=200809L $(HARDEN) $(CPPFLAGS) $(CFLAGS) \
              -DPUSHER_LUA_VERSION_NUM=$(LUA_NUM) $(DIR_FLAGS) $(LUA_FLAGS)
CORE_LIBS   = $(call PC,--cflags --libs libcrypto libsodium,-lcrypto -lsodium) -lpthread
CURL_LIBS   = $(call PC,--cflags --libs libcurl,-lcurl) -lpthread

# On macOS Lua's symbols are resolved when the module is loaded.
ifeq ($(shell uname -s),Darwin)
SO_FLAGS = -bundle -undefined dynamic_lookup
else
SO_FLAGS = -shared
# Not for the specs' helpers: some are preloaded into programs without Lua.
MODULE_FLAGS = -Wl,-z,relro,-z,now
endif

build: $(BUILD)/pusher/core.so $(BUILD)/pusher/curl.so ## build both C modules for LUA=5.4 (or 5.1 5.2 5.3 5.5 jit)

# Names the packages that are missing, before the compiler complains of each file.
INCLUDE = for header in $(1); do echo "\#include <$$header>"; done | \
            $(CC) $(C_FLAGS) $(call PC,--cflags libcurl libcrypto libsodium,) -E -x c - >/dev/null 2>&1

# The headers and Debian's packages of them. All must be there, unless one module alone is built.
PACKAGES = lua.h=$(LUA_PACKAGE) curl/curl.h=libcurl4-openssl-dev openssl/evp.h=libssl-dev sodium.h=libsodium-dev
NEEDED   = $(foreach pair,$(PACKAGES),$(firstword $(subst =, ,$(pair))))

library-headers:
	@$(call INCLUDE,$(NEEDED)) && exit; missing=; \
	if ! command -v $(firstword $(CC)) >/dev/null; then missing=" gcc libc6-dev"; \
	elif ! $(call INCLUDE,); then $(CC) $(C_FLAGS) -E -x c /dev/null >/dev/null; exit 1; fi; \
	command -v pkg-config >/dev/null || missing="$$missing pkg-config"; \
	for pair in $(foreach header,$(NEEDED),$(filter $(header)=%,$(PACKAGES))); do \
	  $(call INCLUDE,$${pair%=*}) || missing="$$missing $${pair#*=}"; \
	done; \
	echo "make build: the compiler or a library's headers are missing; on Debian: sudo apt-get install$$missing" >&2; exit 1

# Changes when Lua's headers do, and then what was built with others is built again.
HEADERS     = $(BUILD)/lua_headers
$(HEADERS): FORCE | library-headers
	@new=$$($(CC) $(C_FLAGS) -E -P -x c src/lua_version.h) || { \
	  echo "There are no headers of $(if $(filter jit,$(LUA)),LuaJIT,Lua $(LUA)): install Debian's package $(LUA_PACKAGE)," \
	    "or name their folder by CPPFLAGS=-I..." >&2; exit 1; }; \
	[ "$$new" = "$$(cat $@ 2>/dev/null)" ] || { mkdir -p $(@D) && echo "$$new" >$@; }

FORCE:

# On a terminal, also where make -s prints no commands.
SAY_BUILD = [ ! -t 2 ] || echo "building $@" >&2

$(BUILD)/pusher/core.so: $(CORE_SRC) $(wildcard src/*.h src/*/*.h) $(HEADERS) Makefile
	@$(SAY_BUILD)
	@mkdir -p $(@D)
	$(CC) $(C_FLAGS) $(SO_FLAGS) $(MODULE_FLAGS) -o $@ $(CORE_SRC) $(LDFLAGS) $(CORE_LIBS)

$(BUILD)/pusher/curl.so: $(CURL_SRC) $(wildcard src/*.h src/*/*.h) $(HEADERS) Makefile
	@$(SAY_BUILD)
	@mkdir -p $(@D)
	$(CC) $(C_FLAGS) $(SO_FLAGS) $(MODULE_FLAGS) -o $@ $(CURL_SRC) $(LDFLAGS) $(CURL_LIBS)

# Shell words: folders may have spaces.
LIB_FOLDER = "$(DESTDIR)$(INST_LIBDIR)"
LUA_FOLDER = "$(DESTDIR)$(INST_LUADIR)"

install: build ## install below PREFIX (/usr/local) or into INST_LIBDIR and INST_LUADIR; DESTDIR is honoured
	@for folder in $(LIB_FOLDER) $(LUA_FOLDER); do \
	  { test -d "$$folder" || install -d "$$folder" 2>/dev/null; } && test -w "$$folder" && continue; \
	  echo "make install: $$(id -un) may not write to $$folder. Run one of these:" >&2; \
	  echo "  sudo make install LUA_VERSION=$(LUA) PREFIX=$(PREFIX)" >&2; \
	  echo "  make install LUA_VERSION=$(LUA) PREFIX=$$HOME/.local; then set for $(INTERPRETER)" >&2; \
	  echo "    LUA_PATH=\"$$HOME/.local/share/lua/$(LUA_ABI)/?.lua;;\" LUA_CPATH=\"$$HOME/.local/lib/lua/$(LUA_ABI)/?.so;;\"" >&2; \
	  exit 1; \
	done
	install -d $(LIB_FOLDER)/pusher
	install -m 755 $(BUILD)/pusher/*.so $(LIB_FOLDER)/pusher
	target=$$(cd $(LUA_FOLDER) && pwd) && cd lua && \
	  find . -name '*.lua' -exec sh -c 'install -d "$$1/$${2%/*}" && install -m 644 "$$2" "$$1/$$2"' sh "$$target" {} \;

docs: ## write the reference from the comments: build/docs/index.html
	@scripts/setup docs
	@rm -rf build/docs && mkdir -p build
	@ldoc --fatalwarnings . >build/ldoc.log 2>&1 </dev/null || { cat build/ldoc.log >&2; exit 1; }
	@echo build/docs/index.html

clean: ## remove everything that was built
	rm -rf build

# ---- demo -------------------------------------------------------------------------------------------------

# LuaJIT, which is the Lua of nginx.
JIT_PATHS = LUA_PATH="./lua/?.lua;./?.lua;;" LUA_CPATH="./build/jit/?.so;;"
JIT_RUN   = $(JIT_PATHS) luajit

demo: ## start a local Channels server, publish, and show the events arriving (LUA=5.4)
	@scripts/setup core $(if $(filter 5.4 jit,$(LUA)),,luas)
	@$(MAKE) -s build
	@LUA_PATH="./lua/?.lua;./?.lua;;" LUA_CPATH="./$(BUILD)/?.so;;" $(INTERPRETER) tools/demo.lua

PORT = 6001

server: ## run the local Channels server for your own programs, pages and tests, until Ctrl-C (PORT=6001, WEBHOOK=URL)
	@scripts/setup server
	@LUA_PATH="./?.lua;;" LUA_CPATH=";;" exec luajit tools/server.lua "$(PORT)" "$(WEBHOOK)"

PUSHER_JS = $(INTEROP)/node_modules/pusher-js

openresty-demo: ## run a chat in nginx beside a local Channels server, until Ctrl-C
	@scripts/setup jit server nginx
	@$(MAKE) -s build LUA=jit
	@if command -v npm >/dev/null; then $(MAKE) -s $(INTEROP)/node_modules/.installed; fi
	@$(JIT_PATHS) exec luajit tools/openresty_demo.lua $$(test -d $(PUSHER_JS) && echo $(PUSHER_JS))

cluster-demo: ## run examples/cluster: two soketi over Redis behind nginx; publish, kill a node, publish again
	@scripts/setup core nginx node redis
	@$(MAKE) -s build LUA=5.4
	@$(MAKE) -s build LUA=jit
	@$(MAKE) -s $(INTEROP)/soketi/node_modules/.installed
	@$(JIT_RUN) tools/cluster_demo.lua $(INTEROP) "env LUA_CPATH='./build/5.4/?.so;;' lua5.4"

# Before gates run side by side: two of them must not build the same file at a time.
shared: ## build what several gates of .ci/run use
	@scripts/setup all
	@for lua in $(LUAS); do $(MAKE) -s build test-modules LUA=$$lua || exit; done
	@$(MAKE) -s build/5.4/host LUA=5.4
	@$(MAKE) -s $(INTEROP)/node_modules/.installed $(INTEROP)/soketi/node_modules/.installed \
	  spec/system/nginx/browser/node_modules/.installed

test-demos: ## run the demos that end by themselves
	@MAKE="$(MAKE)" scripts/each demo cluster-demo

# ---- test -------------------------------------------------------------------------------------------------

TEST_MODULES = faults process same_port slow_resolver

LOCALES = de_DE.UTF-8 fa_IR.UTF-8 tr_TR.ISO-8859-9

test-modules: $(TEST_MODULES:%=$(BUILD)/pusher_test/%.so) $(LOCALES:%=build/locales/%) ## build the C helpers of the specs

build/locales/%:
	@mkdir -p $(@D)
	localedef -i $(basename $*) -f $(patsubst .%,%,$(suffix $*)) $@

$(BUILD)/pusher_test/%.so: spec/helpers/%.c $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) $(C_FLAGS) $(SO_FLAGS) -o $@ $< $(LDFLAGS) $(TEST_LIBS) -lpthread -ldl

$(BUILD)/pusher_test/secrets.so: TEST_LIBS = $(CORE_LIBS) $(CURL_LIBS)

test: ## run all specs on Lua 5.4; SPEC=spec/x_spec.lua runs one, ARGS are busted's
	@scripts/setup core
	@$(MAKE) -s build test-modules LUA=5.4
	@$(MAKE) -s build LUA=jit
	@scripts/specs 5.4 $(ARGS) $(SPEC)

test-lua: ## run all specs on LUA=5.1, 5.2, 5.3, 5.4 or jit
	@scripts/setup core luas
	@$(MAKE) -s build test-modules
	@$(MAKE) -s build LUA=jit
	@scripts/specs $(LUA) $(ARGS) $(SPEC)

test-all: $(LUAS:%=test-all-%) ## run all specs on every Lua, one after another; test-all-5.1 and so on run one
$(LUAS:%=test-all-%):
	@echo "== Lua $(@:test-all-%=%)"
	@$(MAKE) -s test-lua LUA=$(@:test-all-%=%)

INTEROP = spec/system/interop
# Those that need LuaJIT, for nginx.
INTEROP_JIT = $(INTEROP)/proxy_check.lua $(INTEROP)/endpoint_check.lua

test-interop: ## test with third-party servers and clients: soketi, Redis, nginx, browsers, libraries of Node, Python, Go, Java
	@scripts/setup core node nginx browser redis go java python
	@$(MAKE) -s build LUA=5.4
	@$(MAKE) -s build LUA=jit
	@$(MAKE) -s interop-tools
	@cd $(INTEROP) && node --test --test-reporter=./reporter.mjs official_clients.test.js
	@scripts/specs 5.4 $(filter-out $(INTEROP_JIT),$(sort $(wildcard $(INTEROP)/*_check.lua)))
	@scripts/specs jit $(INTEROP_JIT)

interop-tools: $(INTEROP)/node_modules/.installed $(INTEROP)/soketi/node_modules/.installed
interop-tools: spec/system/nginx/browser/node_modules/.installed
interop-tools: build/interop/python/.installed build/interop/go-peer build/interop/java/Peer.class

build/interop/python/.installed: $(INTEROP)/peers/python/requirements.txt
	rm -rf $(@D) && python3 -m venv $(@D)
	$(@D)/bin/pip install -q --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r $< && touch $@

build/interop/go-peer: $(addprefix $(INTEROP)/peers/go/,main.go go.mod go.sum)
	@mkdir -p $(@D)
	cd $(<D) && go build -o $(abspath $@) .

build/interop/java/Peer.class: $(addprefix $(INTEROP)/peers/java/,Peer.java pom.xml)
	mvn -q -B -C -Dstyle.color=never -f $(INTEROP)/peers/java/pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
	  -DoutputDirectory=$(abspath $(@D))/lib
	javac -encoding UTF-8 -cp '$(@D)/lib/*' -d $(@D) $<

%/node_modules/.installed: %/package.json %/package-lock.json
	cd $* && npm ci --ignore-scripts --no-audit --no-fund && touch node_modules/.installed

$(INTEROP)/node_modules/.installed: $(INTEROP)/.npmrc

$(INTEROP)/soketi/node_modules/.installed: $(addprefix $(INTEROP)/soketi/,package.json package-lock.json install.sh)
	sh $(INTEROP)/soketi/install.sh

test-game: ## test in a real Luanti server, in a game's loop, and the publisher over 100,000 events
	@scripts/setup core game
	@for lua in jit 5.4; do $(MAKE) -s build LUA=$$lua || exit; done
	@scripts/specs jit spec/system/game/luanti_check.lua spec/system/game/game_loop_check.lua
	@scripts/specs 5.4 spec/system/game/guarantees_check.lua

test-hosts: ## run the examples of docs/hosts.md: event loops on every Lua, nginx, LÖVE, Luanti, a stand-in for skynet
	@scripts/setup core luas game nginx hosts
	@for lua in $(LUAS); do $(MAKE) -s build LUA=$$lua || exit; done
	@scripts/specs jit $(sort $(wildcard spec/system/hosts/*_check.lua))

test-openresty: ## test inside nginx, under load with wrk, and the chat in Chromium
	@scripts/setup core nginx load memory node browser
	@$(MAKE) -s build build/jit/bench/counts/callgrind.so LUA=jit
	@$(MAKE) -s spec/system/nginx/browser/node_modules/.installed
	@scripts/specs jit $(sort $(wildcard spec/system/nginx/*_check.lua))
	@cd spec/system/nginx/browser && node --test --test-reporter=../../interop/reporter.mjs chat.test.js

# TARGETS: those of scripts/versions/run.
test-versions: ## test with other versions of Lua, LuaJIT, libcurl, OpenSSL and libsodium, on 32 bits and on ARM (TARGETS=...)
	@scripts/setup core luas versions
	@$(MAKE) -s build LUA=jit
	@scripts/versions/run $(TARGETS)

test-rock: ## test rocks, luarocks make and make install in empty trees
	@scripts/setup core luas rocks
	@$(MAKE) -s build LUA=5.4
	@scripts/specs 5.4 spec/system/packaging_check.lua

# ---- lint -------------------------------------------------------------------------------------------------

STRICT = -O2 -Werror

lint: ## run all linters
	@MAKE="$(MAKE)" scripts/each lint-lua lint-c lint-cc lint-ci lint-docs

lint-lua: ## run luacheck
	@scripts/setup core lint
	luacheck -q lua spec tools scripts examples bench *.rockspec .busted .luacheckrc

lint-c: ## run clang-format and cppcheck
	@scripts/setup core lint
	clang-format --dry-run -Werror $(wildcard src/*.h src/*/*.[ch] spec/helpers/*.c spec/system/*.c spec/system/*/*.c spec/system/*/c/*.[ch] bench/*.[ch] bench/*/*.[ch])
	cppcheck -q --std=c99 --language=c --enable=warning,style,performance,portability --inline-suppr \
	  --suppress=missingIncludeSystem --suppress=constVariable --suppress=constParameterCallback \
	  --suppress=normalCheckLevelMaxBranches -U__has_include --error-exitcode=1 src

lint-cc: ## compile with gcc and clang and -Werror, and check which symbols are exported
	@scripts/setup core luas lint
	@$(MAKE) -s build LUA=5.1 BUILD=build/lint-gcc CC=gcc CFLAGS="$(STRICT)"
	@$(MAKE) -s build LUA=5.4 BUILD=build/lint-clang CC=clang CFLAGS="$(STRICT)"
	@$(MAKE) -s build LUA=jit BUILD=build/lint-jit CFLAGS="$(STRICT)"
	@for so in build/lint-gcc/pusher/*.so build/lint-jit/pusher/*.so; do \
	  if nm -D --defined-only $$so | grep -v ' T luaopen_pusher_'; then echo "$$so exports more than luaopen_*"; exit 1; fi; \
	done

ACTIONLINT = github.com/rhysd/actionlint/cmd/actionlint@v1.7.7

lint-ci: ## run shellcheck over the scripts, and actionlint over the workflow of the public CI
	@scripts/setup core lint go
	shellcheck -x .ci/run scripts/setup scripts/specs scripts/each scripts/progress.sh bench/peers/build
	go run $(ACTIONLINT) .github/workflows/ci.yml

lint-docs: docs ## check that the reference has all public functions, and nothing private
	@scripts/setup core
	@$(MAKE) -s build LUA=5.4
	@scripts/specs 5.4 spec/system/docs_check.lua

# Not in .ci/run: Cargo compiles it for ten minutes.
EMMYLUA = emmylua_check@0.25.1

lint-types: build/emmylua/bin/emmylua_check ## check the examples against types/ with emmylua_check, which Cargo installs
	$< -c .luarc.json --warnings-as-errors types examples

build/emmylua/bin/emmylua_check:
	cargo install --quiet --locked --root build/emmylua $(EMMYLUA)

# ---- memory -----------------------------------------------------------------------------------------------

# Times that specs judge are longer under tools that slow everything down, and on a loaded machine; whole numbers.
SCALED = $$(($(1) * $${PUSHER_TIME_SCALE:-1}))

# nodelete: the modules stay mapped after lua_close, so that a leak's call chain keeps its names.
ASAN_FLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
HARD_GC    = --helper=scripts/hard_gc.lua

# What judges time by the instruction says nothing under a checker, and takes ten minutes there. ASAN is fast enough for
# the hostile arguments, valgrind is not.
UNCHECKED = --exclude-pattern=hostile_growth

# Without the forks with calls in flight: the sanitizer's own allocator does not survive a fork while another thread is
# inside it. They run under valgrind.
asan: ## run the specs on 5.4 with AddressSanitizer, UBSan and a garbage collector that always runs
	@scripts/setup core
	@$(MAKE) -s build LUA=jit
	@$(MAKE) -s build test-modules build/asan-5.4/lua LUA=5.4 BUILD=build/asan-5.4 CFLAGS="$(ASAN_FLAGS)" \
	  LDFLAGS=-Wl,-z,nodelete
	@PUSHER_TIME_SCALE=$(call SCALED,5) BUILD=build/asan-5.4 LUA_BIN=build/asan-5.4/lua UBSAN_OPTIONS=print_stacktrace=1 \
	  ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1 \
	  scripts/specs 5.4 $(HARD_GC) $(UNCHECKED) --exclude-pattern=fork_in_flight $(ARGS) $(SPEC)

build/asan-5.4/lua: spec/system/lua_host.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARN) $(CFLAGS) -o $@ $< $(call PC,--cflags --libs $(LUA_PC)) -lm

# What is Lua alone has nothing for valgrind to see. A child looks for leaks at its end, too, in all that its parent has
# allocated: specs of forks have a process of their own, which is small.
LUA_ALONE = --exclude-pattern=architecture --exclude-pattern=module_lines --exclude-pattern=queue --exclude-pattern=hostile_arguments
FORKS     = $(shell find spec -name '*fork*_spec.lua')

# Without fair-sched a thread that never waits keeps the others from running.
VALGRIND = valgrind -q --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
  --error-exitcode=99 --child-silent-after-fork=yes --keep-debuginfo=yes --fair-sched=try

valgrind: ## run the specs on 5.4 under valgrind; any error or lost block fails
	@scripts/setup core memory
	@$(MAKE) -s build LUA=jit
	@$(MAKE) -s build test-modules LUA=5.4
	@export PUSHER_TIME_SCALE=$(call SCALED,3) RUNNER="$(VALGRIND)"; \
	$(if $(SPEC),scripts/specs 5.4 $(ARGS) $(SPEC),failed=0; scripts/specs 5.4 $(FORKS) || failed=1; \
	scripts/specs 5.4 $(UNCHECKED) $(LUA_ALONE) --exclude-pattern=fork || failed=1; exit $$failed)

# Reports cover our code only: libcurl and libcrypto are not built with the sanitizer.
TSAN_FLAGS = -O1 -g -fno-omit-frame-pointer -fsanitize=thread
THREADS    = 8
TRIGGERS   = 10000

threads: ## run 8 threads with a Lua state each under ThreadSanitizer (TRIGGERS=10000 each)
	@scripts/setup core
	@$(MAKE) -s build LUA=jit
	@$(MAKE) -s build build/5.4/host build/5.4/pusher_test/process.so LUA=5.4
	@$(MAKE) -s build build/threads/host build/threads/pusher_test/process.so LUA=5.4 BUILD=build/threads CFLAGS="$(TSAN_FLAGS)" LDFLAGS=-Wl,-z,nodelete
	@LUA_PATH="./lua/?.lua;./?.lua;;" LUA_CPATH="./build/5.4/?.so;;" \
	  TSAN_OPTIONS="halt_on_error=1 suppressions=scripts/tsan.supp" \
	  lua5.4 spec/system/threads/run.lua build/threads build/5.4 $(THREADS) $(TRIGGERS)

SECRETS_LUAS = 5.4 5.1 jit

test-secrets: ## look for keys in the memory of a process that has closed its clients
	@scripts/setup core luas
	@$(MAKE) -s build LUA=jit
	@for lua in $(SECRETS_LUAS); do $(MAKE) -s build $(patsubst %,build/$$lua/pusher_test/%.so,process secrets) LUA=$$lua && \
	  scripts/specs $$lua spec/system/secrets/secrets_check.lua || exit; done

test-async: ## test the network thread at length, and with a pipe in place of an eventfd
	@scripts/setup core
	@$(MAKE) -s build LUA=jit
	@$(MAKE) -s build test-modules build/5.4/host LUA=5.4
	@scripts/specs 5.4 $(ARGS) $(or $(SPEC),$(sort $(wildcard spec/system/async/*_check.lua)))
	@$(MAKE) -s build test-modules LUA=5.4 BUILD=build/pipe-5.4 CPPFLAGS=-DPUSHER_NO_EVENTFD
	@BUILD=build/pipe-5.4 scripts/specs 5.4 spec/transport/async spec/transport/async_spec.lua

# The Lua of the C library's functions matters little: what is counted under 5.1 and LuaJIT is Lua's own memory.
OOM_LUAS = 5.4 5.1 jit

oom: ## let allocations fail in turn, in Lua and in C (OOM_FULL=1: every one; OOM_SEED= other ones; SCENARIO= one of spec/system/oom)
	@scripts/setup core luas
	@for lua in $(OOM_LUAS); do $(MAKE) -s build build/$$lua/pusher_test/process.so build/$$lua/oom_host LUA=$$lua || exit; done
	@LUA_PATH="./lua/?.lua;./?.lua;;" LUA_CPATH="./build/5.4/?.so;;" \
	  lua5.4 spec/system/oom/run.lua $(if $(OOM_FULL),1000000,$(OOM_TRIES)) $(OOM_SEED) $(SCENARIO)

OOM_TRIES = 70
OOM_SEED  = 0

# What a run finds is repeated by the command that it prints. build/fuzz/corpus makes later runs begin where one ended.
FUZZ_SECONDS = 60
FUZZ_SEED    = $(shell date +%s)
FUZZ_FLAGS   = -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined,float-cast-overflow -fno-sanitize-recover=all
# c/response.c stands in for these functions of libcurl.
FUZZ_WRAP    = -Wl,--wrap=curl_easy_setopt,--wrap=curl_easy_getinfo,--wrap=curl_easy_perform

fuzz: ## fuzz the C entries and all parsers, and compare some with others (FUZZ_SECONDS=60, twice; FUZZ_SEED=)
	@scripts/setup core fuzz
	@$(MAKE) -s build LUA=jit
	@$(MAKE) -s build build/fuzz/fuzz LUA=5.4
	@LUA_PATH="./lua/?.lua;./?.lua;;" LUA_CPATH="./build/5.4/?.so;;" UBSAN_OPTIONS=print_stacktrace=1 \
	  lua5.4 spec/system/fuzz/run.lua $(FUZZ_SECONDS) $(FUZZ_SEED) build/fuzz/fuzz

FUZZ_SRC = $(sort $(wildcard spec/system/fuzz/c/*.c)) $(CORE_SRC) $(CURL_SRC)

build/fuzz/fuzz: $(FUZZ_SRC) $(wildcard spec/system/fuzz/c/*.h src/*.h src/*/*.h) Makefile
	@mkdir -p $(@D)
	clang -std=c99 $(WARN) -D_POSIX_C_SOURCE=200809L $(FUZZ_FLAGS) $(FUZZ_WRAP) -o $@ $(FUZZ_SRC) \
	  $(call PC,--cflags --libs $(LUA_PC)) $(CORE_LIBS) $(CURL_LIBS) -ldl

$(BUILD)/oom_host: spec/system/oom/host.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARN) $(CFLAGS) -o $@ $< $(call PC,--cflags --libs $(LUA_PC)) -ldl

$(BUILD)/host: spec/system/threads/host.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=c99 $(WARN) -D_POSIX_C_SOURCE=200809L $(CFLAGS) -o $@ $< $(call PC,--cflags --libs $(LUA_PC)) -lpthread

# The thread caches of malloc count as memory in use, and take long to fill.
SOAK_SECONDS = 600
soak: ## let all parts run for ten minutes (SOAK_SECONDS=600) with a server that misbehaves: nothing leaks, no event is lost
	@scripts/setup core luas
	@for lua in 5.4 jit; do $(MAKE) -s build test-modules LUA=$$lua || exit; done
	@failed=0; for lua in 5.4 jit; do GLIBC_TUNABLES=glibc.malloc.tcache_count=0 SOAK_SECONDS=$$(($(SOAK_SECONDS) / 2)) \
	  scripts/specs $$lua spec/system/soak/soak_check.lua || failed=1; done; exit $$failed

soak-smoke: ## the same for a minute
	@$(MAKE) -s soak SOAK_SECONDS=60

# Which specs run for a mutant: tools/mutate/specs.lua.
MUTANTS = 100
SEED    = 1
FILES   = lua
WORKERS = 1

mutate: ## change FILES (lua) in MUTANTS small ways and list what no spec notices (SEED, WORKERS, AGAIN=report)
	@scripts/setup core
	@$(MAKE) -s build test-modules LUA=5.4
	@$(MAKE) -s build test-modules LUA=jit
	@lua5.4 tools/mutate.lua mutants=$(MUTANTS) seed=$(SEED) workers=$(WORKERS) again=$(AGAIN) $(FILES)

# ---- measure ----------------------------------------------------------------------------------------------

BENCH_RUN = LUA_PATH="./lua/?.lua;./?.lua;;" LUA_CPATH="build/5.4/?.so;;" lua5.4 bench/run.lua

bench: bench-build ## compare time and memory with bare C and the libraries of other languages (ARGS: see bench/README.md)
	@bench/peers/build
	@$(BENCH_RUN) $(ARGS)

bench-smoke: bench-build ## run a short benchmark; fails when a ratio is worse than half its target
	@$(BENCH_RUN) --rounds 3 --ms 60 --seconds 1 --sides lua,luajit,bare,go,node --gate $(ARGS)

bench-pages: ## write the figures of the last `make bench` into the pages and the plots again
	@scripts/setup core
	@$(MAKE) -s build/5.4/bench/probe.so LUA=5.4
	@$(BENCH_RUN) --pages

bench-core: bench-build ## measure each call of pusher.core, compared with bare C
	@$(MAKE) -s build/bench/bare_hmac
	@for lua in 5.4 jit; do LUA_CPATH="build/$$lua/?.so;;" $$([ $$lua = jit ] && echo luajit || echo lua$$lua) \
	  bench/core.lua build/bench/bare_hmac || exit; done

# The figures are in bench/counts/kept.lua: what became slower is to be fixed, what became faster is written down.
COUNTS_RUN = LUA_PATH="./lua/?.lua;./?.lua;;" LUA_CPATH="./build/5.4/?.so;;" lua5.4 bench/counts/run.lua

bench-check: ## count the instructions of calls without a network; fails when one takes 5 % more or fewer than before
	@scripts/setup core memory
	@$(MAKE) -s build build/5.4/bench/counts/callgrind.so LUA=5.4
	@$(COUNTS_RUN)

bench-counts: ## write down the instruction counts that bench-check compares with
	@$(MAKE) -s bench-check COUNTS_RUN='$(COUNTS_RUN) --keep'

bench-openresty: ## measure the nginx handlers, compared with an empty one, also with slow servers and reloads
	@scripts/setup core nginx load
	@$(MAKE) -s build LUA=jit
	@$(JIT_RUN) bench/openresty/run.lua $(ARGS)

bench-build: ## build what the benchmarks need
	@scripts/setup core nginx node go
	@$(MAKE) -s build test-modules build/5.4/bench/probe.so build/bench/bare LUA=5.4
	@$(MAKE) -s build test-modules build/jit/bench/probe.so LUA=jit
	cd bench/peers/go && go build -o ../../../build/bench/go-peer .
	@test -d bench/peers/node/node_modules/pusher || \
	  (cd bench/peers/node && npm install --no-audit --no-fund --no-package-lock)

$(BUILD)/bench/%.so: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(C_FLAGS) $(SO_FLAGS) -o $@ $< $(LDFLAGS)

BARE_C = $(CC) -std=c99 -Wall -Wextra -D_POSIX_C_SOURCE=200809L $(CPPFLAGS) $(CFLAGS)

# bare_hmac.c is also a program of its own, see below; here it is linked into one that is driven like the other sides.
build/bench/bare: $(wildcard bench/bare*.[ch])
	@mkdir -p $(@D)
	$(BARE_C) -Dmain=bare_hmac_main -c -o $(@D)/bare_hmac.o bench/bare_hmac.c
	$(BARE_C) -o $@ bench/bare.c bench/bare_easy.c bench/bare_multi.c $(@D)/bare_hmac.o \
	  $(LDFLAGS) $(CORE_LIBS) $(CURL_LIBS)

build/bench/bare_hmac: bench/bare_hmac.c
	@mkdir -p $(@D)
	$(BARE_C) -o $@ $< $(LDFLAGS) $(CORE_LIBS)

# ---- pictures ---------------------------------------------------------------------------------------------

pictures: ## draw docs/pictures/*.txt as SVG, in light and in dark colours
	@scripts/setup core
	@lua5.4 tools/draw_pictures.lua $(sort $(wildcard docs/pictures/*.txt))

screenshot: ## photograph the chat of openresty-demo with two visitors: docs/pictures/chat.png
	@scripts/setup jit server nginx node browser
	@$(MAKE) -s build LUA=jit
	@$(MAKE) -s $(INTEROP)/node_modules/.installed spec/system/nginx/browser/node_modules/.installed
	@node spec/system/nginx/browser/screenshot.js docs/pictures/chat.png

# ---- release ----------------------------------------------------------------------------------------------

# The tag vVERSION must exist in the repository before the rockspec is published.
rockspec: ## write and lint the rockspec of a release, build/pusher-VERSION-1.rockspec (VERSION=x.y.z, REPOSITORY=https://…)
	@scripts/setup rocks
	@mkdir -p build
	@LUA_PATH="./lua/?.lua;./?.lua;;" lua5.4 tools/rockspec.lua "$(VERSION)" "$(REPOSITORY)" "build/pusher-$(VERSION)-1.rockspec"
	@luarocks lint "build/pusher-$(VERSION)-1.rockspec"
	@echo "build/pusher-$(VERSION)-1.rockspec"

# ---- help -------------------------------------------------------------------------------------------------

help: ## list all targets
	@awk '/^# ---- / { print "\n" $$3 } \
	  /^[a-z-]+:.*## / { name = text = $$0; sub(/:.*/, "", name); sub(/.*## /, "", text); printf "  %-16s  %s\n", name, text }' \
	  Makefile

print-%:
	@echo $($*)

.PHONY: build library-headers install rockspec clean demo server openresty-demo cluster-demo shared test-demos help
.PHONY: test test-async test-secrets test-modules test-lua test-all $(LUAS:%=test-all-%) test-interop interop-tools test-game test-hosts test-openresty test-rock test-versions
.PHONY: lint lint-lua lint-c lint-cc lint-ci lint-docs lint-types docs asan valgrind threads oom fuzz soak soak-smoke mutate
.PHONY: pictures screenshot
.PHONY: bench bench-pages bench-smoke bench-check bench-counts bench-core bench-openresty bench-build
