-- Runs one scenario with the n-th allocation failing, for one n after another, each in a child of its own:
-- tries.lua SCENARIO SOURCE MAX SEED SERVER, under the host of host.c, which explains SOURCE. MAX is how many numbers are
-- tried at most, spread over all; SEED moves them, by up to the distance of two; SERVER the local servers'
-- handshakes in JSON, see scenarios.lua.
--
-- A call may end in an error of memory or of the network, but in no signal, no hang and no wrong result. The same calls
-- work afterwards. A repetition of all this frees as many blocks as it allocates.

local oom = assert(rawget(_G, "oom"), "run by host.c")

local cjson = require "cjson"
local core = require "pusher.core"
local process = require "pusher_test.process"
local scale = require "spec.helpers.time_scale"
local scenarios = require "spec.system.oom.scenarios"

local name, source, max, seed, handshake = ...

local SHIFT = tonumber(seed) * 0.618034 % 1 -- of the distance: seeds one after another spread over all of it
local LIMIT = 30 * scale -- seconds, for one child
local THREAD = 5 * scale -- seconds until a closed transport's thread has ended
local MAX_RUNS = 4 -- that may leave blocks allocated

-- How a child may end because of third-party code: its status, the source, and what it is.
--   255  lua-cjson calls exit(-1) when malloc() fails
--   254  OpenSSL 3.0 refuses every connection that follows: of 8,900 allocations of the first SSL_CTX_new() of a bare C
--        program, 120 leave that function broken, such as a name that is not stored, or a lock that is not made
--   253  LuaJIT crashes; by host.c
--   252  a handshake that has failed waits for its deadline: libcurl reads the CA file between SSL_connect() and
--        SSL_get_error() (ossl_connect_step2() in lib/vtls/openssl.c of 7.88), and with it the errors are cleared
--        (X509_load_cert_file_ex() in OpenSSL's by_file.c)
--   251  libcurl before 8.12 crashes after one of its own allocations failed: it frees a host's name twice when its
--        cache of TLS sessions cannot copy a session's settings (Curl_ssl_addsessionid() in lib/vtls/vtls.c); by host.c
scenarios.CJSON_EXIT = 255
local TLS_BROKEN, TLS_WAITS = 254, 252
local OVER_TLS = name:find("_tls", 1, true) and "any"
local ENDS = {
  [scenarios.CJSON_EXIT] = { "any", "exits of lua-cjson" },
  [TLS_BROKEN] = { OVER_TLS, "OpenSSL left broken" },
  [253] = { "lua", "crashes in LuaJIT" },
  [TLS_WAITS] = { OVER_TLS, "handshakes that wait" },
  [251] = { OVER_TLS, "crashes of libcurl's" },
}
scenarios.source = source

-- What errors say when memory is short.
local MEMORY = { "ot enough memory", "ut of memory", "annot allocate memory" }

local unexpected -- what was logged, if it was no error of memory

-- What else a call may say when any allocation fails: the transport says in its log what the parser raised; Lua could
-- not open a module's file; over TLS a lack of memory may look like a header line that is too long for libcurl; LuaJIT's
-- compiler may lose the arguments of the call that it stopped at: `text:gsub()` always has its self.
local OTHER_MEMORY = {
  rawget(_G, "jit") and source == "lua" and "on bad self (string expected, got no value)" or nil,
  name:find("_tls", 1, true) and "or its headers than 64 KiB" or nil,
  "the response could not be processed", (name == "load" or name == "first_calls") and "module '" or nil,
}

local function has_any(message, texts)
  for _, text in pairs(texts) do
    if message:find(text, 1, true) then
      return true
    end
  end
  return false
end

--- Whether a call may end so. Not by `timeout`: the server responds at once. Nor with a code that puts the blame on the
-- caller, whatever the message says.
function scenarios.is_allowed(message, details)
  if type(message) ~= "string" then
    return false
  elseif has_any(message, OTHER_MEMORY) then
    return true
  elseif details then
    return details.code == "network" or details.code == "tls"
  end
  return has_any(message, MEMORY)
end

function scenarios.log(_, message)
  if not scenarios.is_allowed(message) then
    unexpected = message
  end
end

local function dump(value)
  if type(value) ~= "table" then
    return tostring(value)
  end
  local texts = {}
  for key, member in pairs(value) do
    texts[#texts + 1] = tostring(key) .. "=" .. dump(member)
  end
  table.sort(texts)
  return "{" .. table.concat(texts, ",") .. "}"
end

-- Raises unless the call ended with its known result, or failed as it may.
local function judge(place, known, ok, value, message, details)
  if not ok then
    assert(scenarios.is_allowed(value), place .. " raised " .. tostring(value))
  elseif not value then
    if source == OVER_TLS and details and details.code == "timeout" then
      os.exit(TLS_WAITS)
    end
    assert(scenarios.is_allowed(message, details), ("%s failed with %s: %s"):format(place,
      tostring(details and details.code), tostring(message)))
  else
    assert(not known or dump(value) == known, place .. " returned " .. dump(value))
  end
end

local function finish(scenario, objects)
  if scenario.settle then
    scenario.settle(objects)
  end
  if scenario.check then
    scenario.check(objects)
  end
  assert(not unexpected, unexpected)
end

local function is_broken(message, details)
  return details.code == "tls" or message:find("SSL: couldn't create a context", 1, true)
end

local function pack(...)
  return { select("#", ...), ... }
end

-- All calls, with the n-th allocation failing, and once more. Returns the results of the second time.
local function run(scenario, n, known)
  local objects, results = scenario.open(), {}
  oom.reset()
  for index, call in ipairs(scenario.calls) do
    results[index] = pack(oom.attempt(source, n, call, objects))
  end
  for index, result in ipairs(results) do
    judge("call " .. index, known[index], (table.unpack or unpack)(result, 2, result[1] + 1)) -- luacheck: ignore
  end
  finish(scenario, objects)
  for index, call in ipairs(scenario.calls) do
    local value, message, details = call(objects)
    if not value and source == OVER_TLS and details and is_broken(message, details) then
      os.exit(TLS_BROKEN)
    end
    results[index] = dump(value)
    assert(value, ("call %d failed afterwards with %s: %s"):format(index, tostring(details and details.code),
      tostring(message)))
    assert(not known[index] or results[index] == known[index], "call " .. index .. " later returned " .. results[index])
  end
  finish(scenario, objects)
  judge("close", nil, oom.attempt(source, n, function() scenario.close(objects) return true end))
  scenario.close(objects)
  return results
end

-- How many blocks are allocated when nothing of a scenario is left.
local function live(scenario)
  collectgarbage()
  collectgarbage()
  local deadline = core.now() + THREAD
  while scenario.threads and process.threads() > 1 do
    assert(core.now() < deadline, "the thread does not end")
    core.sleep(0.0005)
  end
  return oom.live()
end

-- The first time is cold. Libraries may keep blocks of a later time, too, but not of each.
local function try(scenario, n, known)
  run(scenario, n, known)
  local before, grown = live(scenario), 0
  for _ = 1, MAX_RUNS do
    run(scenario, n, known)
    grown = live(scenario) - before
    if grown <= 0 then
      return
    end
    before = before + grown
  end
  error(grown .. " blocks are not freed, each time")
end

-- The results without a failure, from a child: this process stays cold.
local function known_results(scenario)
  local path = os.tmpname()
  assert(process.run(function()
    local file = assert(io.open(path, "w"))
    file:write(cjson.encode(run(scenario, 0, {})))
    file:close()
  end, LIMIT) == 0, "the scenario fails without a failure")
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  os.remove(path)
  return cjson.decode(text)
end

local scenario = assert(scenarios.new(cjson.decode(handshake))[name], "no such scenario")
local known = known_results(scenario)
local total = oom.counted()
local tries = math.min(total, tonumber(max))
local failed, ends = 0, {}
for try_number = 1, tries do
  local n = 1 + math.floor((try_number - 1 + SHIFT) * total / tries)
  local status = process.run(function() try(scenario, n, known) end, LIMIT)
  local known_end = ENDS[status]
  if known_end and known_end[1] == source then
    ends[known_end[2]] = (ends[known_end[2]] or 0) + 1
  elseif status ~= 0 then
    failed = failed + 1
    print(("FAILED %s, source %s, allocation %d: status %d"):format(name, source, n, status))
  end
end
local notes = ""
for text, count in pairs(ends) do
  notes = notes .. ("%d %s, "):format(count, text)
end
print(("%-17s %s %6d allocations, %5d tried, %s%d failed"):format(name, source, total, tries, notes, failed))
