-- A program: each function of pusher.core and pusher.curl is called while finalizers run inside it that use, or close,
-- the very object it works for. Usage: lua finalizer_cases.lua HOST PORT, the local server's. The last line is "passed"
-- and the number of calls; any other end is a failure.

local jit = rawget(_G, "jit")
if jit then jit.off() end

local cjson = require "cjson"
local core = require "pusher.core"
local curl = require "pusher.curl"
local finalizers = require "spec.helpers.finalizers"
local options = require "pusher.base.options"
local read_key = require "spec.helpers.key"
local sealed = require "spec.helpers.sealed"

local HOST, PORT = arg[1], tonumber(arg[2])
local ROUNDS = 2
local DEADLINE = os.time() + 600

local mode_name, mode
local calls_made, covered, hits = 0, {}, {}

local function check(condition, ...)
  if not condition then
    error(mode_name .. ": " .. table.concat({ ... }, " "), 2)
  end
  return condition
end

-- Calls f(object, …) by its name with each action in turn, and judges the results by `judge(results, action's name)`.
local function try(name, f, actions, judge)
  covered[name] = true
  for action_name, action in pairs(actions) do
    local results, calls = finalizers.call_amid(mode, action, f)
    hits[name] = (hits[name] or 0) + calls
    calls_made = calls_made + 1
    judge(results, action_name)
  end
end

-- ---- pusher.core ----

local LONG = ("x"):rep(5000) -- its result does not fit the C stack's buffer
local KEY, NONCE = ("k"):rep(core.KEY_BYTES), ("n"):rep(core.NONCE_BYTES)
local PRIVATE, PUBLIC = read_key "pkcs8", read_key "public"

-- Arguments of each function: new ones each time, since a string that Lua has already takes no memory. Numbers where text
-- is taken, too: making text of them allocates.
local turn = 1000000
local function fresh()
  turn = turn + 1
  return turn
end

local ARGUMENTS = {
  random = function() return 3000 end,
  now = function() end,
  sleep = function() return 0 end,
  forks = function() end,
  is_file = function() return "/" end,
  base64_encode = function() return LONG .. fresh() end,
  base64url_encode = fresh,
  base64_decode = function() return core.base64_encode(LONG .. fresh()) end,
  base64url_decode = function() return core.base64url_encode(LONG .. fresh()) end,
  is_socket_id = function() return fresh() + 0.25 end,
  is_channel_name = fresh,
  subscriber = function() return "socket_id=1." .. fresh() .. "&channel_name=private-encrypted-" .. fresh() end,
  channel_key = function() return fresh(), KEY end,
  shared_secret = function() return fresh(), KEY end,
  seal_event = function() return LONG .. fresh(), fresh(), KEY, NONCE, fresh(), fresh() end,
  authorizer = function() return core.mac("s"), fresh(), fresh(), tostring end,
  quote = function() return LONG .. fresh(), fresh(), fresh() end,
  writer = function() return function() return "{}" end, 5 end,
  parser = function() return function(text) return text .. LONG end, error end,
  plain_slashes = function() return LONG .. fresh() end,
  md5_hex = fresh,
  sha256_hex = fresh,
  mac = function() return fresh(), "sha1" end,
  open = function()
    local box, key = sealed(LONG .. fresh(), "c", KEY, NONCE)
    return box, key, NONCE
  end,
  rs256_sign = function() return PRIVATE, fresh() end,
  rs256_verify = function()
    local number = fresh()
    return PUBLIC, number, core.rs256_sign(PRIVATE, ("%.0f"):format(number))
  end,
  utf8_valid = fresh,
  webhook_reader = function() return core.mac("s"), fresh(), error end,
  is_target = fresh,
  is_plain_json = fresh,
  is_final_json = fresh,
  decimal_point = function() end,
  in_c_locale = function() return core.base64_encode, LONG .. fresh() end,
}
-- Those that return something else each time: what is compared.
local COMPARED = {
  random = function(bytes) return #bytes end,
  now = function(seconds) return type(seconds) end,
  mac = function(made) return made:hex("text") end,
  parser = function(made) return made(LONG) end,
  writer = function(made) return made({}, "", "") end,
  authorizer = function(made) return made("socket_id=1.2&channel_name=private-encrypted-a") end,
  webhook_reader = function(made) return type(made) end,
}

local function first_of(name, value)
  return COMPARED[name] and COMPARED[name](value) or value
end

local function use_core()
  for name, list in pairs(ARGUMENTS) do
    if name ~= "rs256_sign" and name ~= "rs256_verify" then -- slow, and they share nothing
      core[name](list())
    end
  end
end

local function try_core_function(name, f)
  local a, b, c, d, e, g = check(ARGUMENTS[name], "core." .. name, "has no case")()
  local function call()
    return f(a, b, c, d, e, g)
  end
  try("core." .. name, call, { uses = use_core }, function(results)
    local expected = { call() }
    check(results[1], name, tostring(results[2]))
    check(first_of(name, results[2]) == first_of(name, expected[1]), name, "has another result")
    check(results[3] == expected[2] and results[4] == expected[3], name, "has other results")
  end)
end

local function try_core()
  for name, f in pairs(core) do
    for _ = 1, type(f) == "function" and ROUNDS or 0 do
      try_core_function(name, f)
    end
  end
end

-- The function that core.authorizer makes, for each of its ways.
local function try_authorize()
  for _, case in ipairs { { "private-a" }, { "private-encrypted-a" }, { "presence-a", { user_id = "1" } } } do
    for _ = 1, ROUNDS do
      local mac, name, front = core.mac("s"), fresh(), LONG .. fresh()
      local form = "socket_id=1." .. fresh() .. "&channel_name=" .. case[1]
      local function encode()
        return '"\\/' .. LONG .. name .. '"'
      end
      local authorize = core.authorizer(mac, front, KEY, encode)
      local expected = core.authorizer(core.mac("s"), front, KEY, encode)(form, case[2])
      local actions = { uses = use_core, forgets = function() authorize() end, closes = function() mac:close() end }
      for _, kind in ipairs { "uses", "forgets", "closes" } do
        try("authorize", function() return authorize(form, case[2]) end, { [kind] = actions[kind] }, function(results)
          check(results[1], "authorize", tostring(results[2]))
          check(results[2] == expected or kind ~= "uses" and results[2] == nil, "authorize", kind)
        end)
      end
    end
  end
end

-- The function that core.webhook_reader makes.
local function try_read_webhook()
  local body = '{"time_ms":1700000000000}'
  local headers = { ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = core.mac("s"):hex(body) }
  for _ = 1, ROUNDS do
    local mac, text = core.mac("s"), nil
    local read_webhook = core.webhook_reader(mac, "k", function(given)
      text = LONG .. fresh()
      return { time_ms = #given * 1e11, events = { text } }
    end)
    local actions = { uses = use_core, closes = function() mac:close() end }
    for _, kind in ipairs { "uses", "closes" } do
      try("read_webhook", function() return read_webhook(headers, body) end, { [kind] = actions[kind] }, function(results)
        check(results[1], "read_webhook", tostring(results[2]))
        local hook = results[2]
        check(hook and hook.events[1] == text and hook.id == headers["X-Pusher-Signature"]
          or kind == "closes" and hook == nil, "read_webhook", kind)
      end)
    end
  end
end

-- Those that core.parser and core.writer make.
local function try_json()
  local function lengthen(text)
    return text .. LONG
  end
  for _, decode in ipairs { lengthen, error } do
    for _ = 1, ROUNDS do
      local number, parse = fresh(), core.parser(decode, lengthen)
      try("parse", function() return parse(number) end, { uses = use_core }, function(results)
        check(results[1] and results[2] == number .. LONG, "parse", tostring(results[2]))
      end)
    end
  end
  for _ = 1, ROUNDS do
    local number, front, back = fresh(), fresh(), fresh()
    local write = core.writer(function() return "\\/" .. LONG .. number end, 1e6)
    try("write", function() return write({}, front, back) end, { uses = use_core }, function(results)
      check(results[2] == front .. '"/' .. LONG .. number .. '"' .. back, "write", tostring(results[2]))
    end)
  end
end

-- The functions of an object: its methods and metamethods.
local function functions_of(object)
  local metatable = debug.getmetatable(object)
  local list = { __gc = metatable.__gc, __tostring = metatable.__tostring }
  for name, f in pairs(metatable.__index) do
    list[name] = f
  end
  for name in pairs(metatable) do
    check(list[name] or name == "__index" or name == "__name" or name == "__metatable", name, "is not known")
  end
  return list
end

local MAC_ARGUMENTS = {
  hex = function() return "a", LONG .. fresh() end,
  raw = function() return "a", LONG .. fresh() end,
  wrap = function() return fresh(), LONG, "a" .. fresh() end,
  verify = function() return core.mac("s"):hex("a"), "a" end,
  close = function() end, __gc = function() end, __tostring = function() end,
}

local WITHOUT_RESULT = { close = true, __gc = true, __tostring = true }

-- Without further arguments than given: a nil would be one.
local function caller(f, object, a, b, c)
  if a == nil then
    return function() return f(object) end
  elseif c == nil then
    return function() return f(object, a, b) end
  end
  return function() return f(object, a, b, c) end
end

local function try_mac_function(name, f, kind)
  local mac = core.mac("s")
  local a, b, c = check(MAC_ARGUMENTS[name], "mac:" .. name, "has no case")()
  try("mac:" .. name, caller(f, mac, a, b, c), { [kind] = function()
    use_core()
    if kind == "closes" then
      mac:close()
    else
      pcall(mac.hex, mac, "another text") -- which close() may have ended
    end
  end }, function(results)
    local closed = kind == "closes" and results[1] and results[2] == nil
    local expected = not WITHOUT_RESULT[name] and caller(f, core.mac("s"), a, b, c)()
    check(closed or results[1], name, tostring(results[2]))
    check(closed or not expected or results[2] == expected, name, "has another result")
  end)
end

local function try_mac()
  local mac, number = core.mac("s"), fresh()
  for _, name in ipairs { "hex", "raw", "wrap", "verify" } do -- to make text of a number would allocate half-way
    try("mac:" .. name, function() return mac[name](mac, "a", "b", "c", number) end,
      { uses = function() mac:hex("another text") end }, function(results)
      check(not results[1] and results[2]:find("string expected", 1, true), name, "takes a number")
    end)
  end
  for name, f in pairs(functions_of(core.mac("s"))) do
    for _ = 1, ROUNDS do
      try_mac_function(name, f, "uses")
      try_mac_function(name, f, "closes")
    end
  end
end

-- ---- pusher.curl ----

local BODIES = { outer = ("O"):rep(60000), inner = "I" }
local OPTIONS = options.transport { proxy = "" }

-- Without the last field that C reads: its name must be held by nothing in this program, so that C makes it anew, which
-- allocates.
local function request(tag)
  return { method = "POST", scheme = "http", host = HOST, port = PORT, timeout = 60,
    target = "/_misbehave/none?" .. tag, headers = { { "X-Tag", tag } }, body = BODIES[tag] }
end

local OUTER, INNER = request("outer"), request("inner")

local function check_echo(tag, status, body)
  check(status == 200, tag, tostring(body))
  local echo = cjson.decode(body)
  check(echo.target == "/_misbehave/none?" .. tag and echo.body == BODIES[tag], tag, "was not sent whole")
end

local function use_curl()
  curl.easy(OPTIONS):close()
  curl.async(OPTIONS):close()
end

local REFUSED = { -- requests that end before anything is sent
  { changes = { body = 5 }, message = "bad request field 'body'" },
  { changes = { headers = { { "A", {} } } }, message = "bad request field 'headers'" },
  { changes = { method = "get" }, message = "the method must be" },
  { changes = { host = "127.0.0.1", port = 1, timeout = 5 }, message = "127.0.0.1 port 1" },
}

local function changed(changes)
  local made = request("inner")
  for name, value in pairs(changes) do
    made[name] = value
  end
  return made
end

local function is_closed(results)
  return results[1] and results[2] == nil and results[4] == "closed" and results[5] == false
end

local EASY = {}

function EASY.perform(name, f, handle, kind, action)
  try(name, function() return f(handle, OUTER) end, { [kind] = action }, function(results)
    if not (kind == "closes" and is_closed(results)) then
      check(results[1], tostring(results[2]))
      check_echo("outer", results[2], results[3])
    end
  end)
  for _, case in ipairs(REFUSED) do
    local made, given = kind == "closes" and curl.easy(OPTIONS) or handle, changed(case.changes)
    try(name, function() return f(made, given) end, { [kind] = kind == "closes" and function() made:close() end or action },
      function(results)
        local message = results[1] and results[3] or results[2]
        check(is_closed(results) or type(message) == "string" and message:find(case.message, 1, true), name, tostring(message))
      end)
  end
end

-- Those without a result of their own.
local function quiet(name, f, handle, kind, action)
  try(name, function() return f(handle) end, { [kind] = action }, function(results)
    check(results[1], name, tostring(results[2]))
  end)
end

EASY.close, EASY.__gc, EASY.__tostring = quiet, quiet, quiet

local function try_easy()
  try("curl.easy", function() return curl.easy(OPTIONS) end, { uses = use_curl }, function(results)
    check_echo("inner", check(results[2], tostring(results[3])):perform(INNER))
    results[2]:close()
  end)
  for name, f in pairs(functions_of(curl.easy(OPTIONS))) do
    check(EASY[name], "easy:" .. name, "has no case")
    for _ = 1, ROUNDS do
      for _, kind in ipairs { "sends", "closes" } do
        local handle = curl.easy(OPTIONS)
        EASY[name]("easy:" .. name, f, handle, kind, kind == "closes" and function()
          handle:close()
        end or function()
          local status, body, code = handle:perform(INNER)
          if code ~= "closed" then
            check_echo("inner", status, body)
          end
        end)
        handle:close()
      end
    end
  end
end

-- The calls of one async handle: each ends once.
local function new_calls()
  local calls = { handle = curl.async(OPTIONS), left = {}, dropped = {} }

  function calls.add(tag)
    local id = calls.handle:add(request(tag))
    if id then
      calls.left[id], calls.last = tag, id
    end
    return id
  end

  function calls.settle(id, status, body, ...)
    if id then
      local tag = check(calls.left[id] or calls.dropped[id], "an outcome nobody waits for, or the second one")
      calls.left[id], calls.dropped[id] = nil, nil
      check_echo(tag, status, body, ...)
    end
    return id
  end

  function calls.cancel()
    local id = calls.last
    if id and calls.left[id] then
      calls.handle:cancel(id)
      calls.dropped[id], calls.left[id] = calls.left[id], nil -- its outcome may be there already
    end
  end

  function calls.finish()
    while next(calls.left) and not calls.closed do
      check(os.time() < DEADLINE, "calls have no outcome")
      calls.handle:wait(1)
      repeat
        local id = calls.settle(calls.handle:done())
      until not id
    end
    calls.handle:close()
  end

  function calls.close()
    calls.closed = true
    calls.handle:close()
  end
  return calls
end

local ACTIONS = {
  sends = function(calls) calls.add("inner") end,
  steps = function(calls)
    calls.handle:wait(0)
    calls.settle(calls.handle:done())
  end,
  cancels = function(calls) calls.cancel() end,
  closes = function(calls) calls.close() end,
}

local ASYNC = {}

function ASYNC.add(name, f, calls, kind, action)
  try(name, function() return f(calls.handle, OUTER) end, { [kind] = action }, function(results)
    if not (kind == "closes" and is_closed(results)) then
      calls.left[check(results[1] and results[2], name, tostring(results[3] or results[2]))] = "outer"
    end
  end)
  for _, case in ipairs(REFUSED) do
    local given = changed(case.changes)
    if not given.port or given.port == PORT then
      try(name, function() return f(calls.handle, given) end, { [kind] = action }, function(results)
        local message = results[1] and results[3] or results[2]
        check(is_closed(results) or type(message) == "string" and message:find(case.message, 1, true), name, tostring(message))
      end)
    end
  end
end

function ASYNC.done(name, f, calls, kind, action)
  for _ = 1, 4 do
    calls.add("inner")
  end
  local deadline, tries = os.time() + 60, 0
  repeat
    calls.handle:wait(1)
    tries = tries + 1
    try(name, function() return f(calls.handle) end, { [kind] = tries < 4 and action or function() end }, function(results)
      check(results[1], name, tostring(results[2]))
      calls.settle(results[2], results[3], results[4])
    end)
  until calls.closed or not next(calls.left) or os.time() > deadline
end

function ASYNC.wait(name, f, calls, kind, action)
  try(name, function() return f(calls.handle, 0.001) end, { [kind] = action }, function(results)
    check(results[1], name, tostring(results[2]))
  end)
end

function ASYNC.cancel(name, f, calls, kind, action)
  local id = calls.add("inner")
  calls.dropped[id], calls.left[id] = "inner", nil
  try(name, function() return f(calls.handle, id) end, { [kind] = action }, function(results)
    check(results[1], name, tostring(results[2]))
  end)
end

for _, name in ipairs { "start", "pollfd", "leave_parent", "__tostring" } do
  ASYNC[name] = function(...)
    local calls = select(3, ...)
    quiet((...), select(2, ...), calls.handle, select(4, ...))
  end
end
for _, name in ipairs { "close", "__gc" } do
  ASYNC[name] = function(...)
    local calls = select(3, ...)
    calls.add("inner")
    calls.closed = true
    quiet((...), select(2, ...), calls.handle, select(4, ...))
  end
end

local function try_async()
  try("curl.async", function() return curl.async(OPTIONS) end, { uses = use_curl }, function(results)
    check(results[2], tostring(results[3])):close()
  end)
  for name, f in pairs(functions_of(curl.async(OPTIONS))) do
    check(ASYNC[name], "async:" .. name, "has no case")
    for _ = 1, ROUNDS do
      for kind, action in pairs(ACTIONS) do
        local calls = new_calls()
        calls.add("inner")
        ASYNC[name]("async:" .. name, f, calls, kind, function() action(calls) end)
        calls.finish()
      end
    end
  end
end

-- ---- the transports over them ----

local function respond(status, body)
  return status == 200 and body or nil, "status", { code = "response" }
end

local function try_transports()
  for _, kind in ipairs { "closes", "cancels", "sends" } do
    for _, name in ipairs { "send", "step", "pollfd", "close" } do
      local transport = require("pusher.transport.async").new { proxy = "" }
      local started, ended = 0, 0
      local pendings = {}
      local function start(tag)
        started = started + 1
        local call = transport:send(request(tag), respond):on_done(function() ended = ended + 1 end)
        pendings[#pendings + 1] = call
        return call
      end
      local actions = {
        closes = function() transport:close() end,
        cancels = function() pendings[#pendings]:cancel() end,
        sends = function() start("inner") end,
      }
      start("inner")
      start("inner")
      for _ = 1, 20 do
        try("transport:" .. name, function()
          if name == "send" then
            return start("outer")
          end
          return transport[name](transport, name == "step" and 0.01 or nil)
        end, { [kind] = actions[kind] }, function(results)
          check(results[1], name, tostring(results[2]))
        end)
      end
      for _, call in ipairs(pendings) do
        call:wait(30)
      end
      check(started == ended, kind, name, started .. " calls, " .. ended .. " outcomes")
      transport:close()
    end
    local transport = require("pusher.transport.curl").new { proxy = "" }
    try("transport.curl:send", function() return transport:send(OUTER, respond) end,
      { closes = function() transport:close() end }, function(results)
      check(results[1], tostring(results[2]))
      check(results[4] == nil or results[4].code == "closed", tostring(results[3]))
    end)
  end
end

-- ---- all of it ----

-- These allocate nothing that Lua knows of, in this Lua or another.
local QUIET = {
  ["core.decimal_point"] = true, ["core.forks"] = true, ["core.is_channel_name"] = true, ["core.is_file"] = true,
  ["core.now"] = true, ["core.sleep"] = true,
  ["mac:verify"] = true, ["mac:close"] = true, ["mac:__gc"] = true, ["easy:close"] = true, ["easy:__gc"] = true,
  ["async:start"] = true, ["async:wait"] = true, ["async:cancel"] = true, ["async:pollfd"] = true,
  ["async:leave_parent"] = true, ["async:close"] = true, ["async:__gc"] = true, ["transport:pollfd"] = true,
}

for name, each in pairs(finalizers.MODES) do
  mode_name, mode, hits = name, each, {}
  try_core()
  try_authorize()
  try_read_webhook()
  try_json()
  try_mac()
  try_easy()
  try_async()
  if os.getenv("PUSHER_SHOW_HITS") then
    for case in pairs(covered) do
      print(mode_name, case, hits[case])
    end
  end
  for case in pairs(covered) do
    check(hits[case] > 0 or QUIET[case], case, "ran no finalizer")
  end
end
for name, each in pairs(finalizers.MODES) do
  mode_name, mode = name, each
  try_transports() -- last, for the modules that it loads hold more strings
end
for name in pairs(curl) do
  check(type(curl[name]) ~= "function" or covered["curl." .. name], "curl." .. name, "has no case")
end
print("passed", calls_made)
