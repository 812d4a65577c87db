--- A stand-in for the parts of nginx's Lua API that the library uses, so that their callers run in any Lua. The real
-- thing is behind `make test-openresty`.
--
-- `sockets`: the outcome of each connect(), in order: `{ reused = 0, connect = message to fail with, or a function that
-- returns it, handshake = { results }, send = message to fail with, receive = { bytes or { message }, … }, waiting = what
-- there is to receive before anything was sent }`.

local fake = {}

local unpack = table.unpack or unpack -- luacheck: ignore 143

local function new_socket(record, scripts)
  local socket = {}
  local script = {}

  function socket.settimeouts(_, connect_ms, send_ms, read_ms)
    record.timeouts[#record.timeouts + 1] = { connect_ms, send_ms, read_ms }
  end

  function socket.connect(_, host, port, options)
    script = assert(table.remove(scripts, 1), "one connect too many")
    script.host, script.port, script.options, script.sent = host, port, options, ""
    record.connections[#record.connections + 1] = script
    local failure = script.connect
    if type(failure) == "function" then
      failure = failure()
    end
    if failure then
      return nil, failure
    end
    return 1
  end

  function socket.getreusedtimes()
    if script.closed then
      return nil, "closed"
    end
    return script.reused or 0
  end

  function socket.sslhandshake(_, session, name, verify)
    script.handshaken = { session, name, verify }
    local results = script.handshake or { true }
    if results.raise then
      error(results.raise, 0)
    end
    script.closed = script.refused
    return results[1], results[2]
  end

  function socket.send(_, bytes)
    script.sent = script.sent .. bytes
    if script.send then
      return nil, script.send
    end
    return #script.sent
  end

  -- Before anything was sent, nothing is expected.
  function socket.receiveany(_, max_bytes)
    script.max_bytes = max_bytes
    local piece
    if script.sent == "" then
      piece = script.waiting or { "timeout" }
    else
      piece = table.remove(script.receive or {}, 1) or { "closed" }
    end
    if type(piece) == "table" then
      return nil, piece[1], ""
    end
    return piece
  end

  function socket.setkeepalive(_, idle_ms, pool_size)
    script.kept = { idle_ms, pool_size }
    return not script.unread
  end

  function socket.close()
    script.closed = true
    return 1
  end

  return socket
end

local function add_request(api, request)
  local given = request or {}
  api.header, api.var = {}, { args = given.query, content_type = given.content_type }
  api.req = {
    read_body = given.read_body or function() end,
    get_method = function() return given.method or "POST" end,
    get_body_data = function() return given.body end,
    get_body_file = function() return given.body_file end,
    get_headers = function() return given.headers or {} end,
  }
end

--- Makes the table that stands for `ngx`.
-- @tparam[opt] table options `sockets`, see above; `request` = `{ method =, query =, content_type =, body =,
-- body_file =, headers =, read_body = function }`; `no_sockets` = the error that ngx.socket.tcp raises; `no_methods` for
-- sockets without any; `sleep` = function that stands for ngx.sleep (default: it yields); `subsystem` ("http")
-- @treturn table ngx
-- @treturn table what was done: `connections`, `timeouts`, `log` (lines), `printed`, `killed` (the states of light threads
--   that were killed), `updates` (of nginx's time)
function fake.new(options)
  options = options or {}
  local record = { connections = {}, timeouts = {}, log = {}, printed = "", killed = {}, updates = 0 }
  local api = { ERR = "error", INFO = "info" }
  api.socket = {
    tcp = function()
      if options.no_sockets then
        error(options.no_sockets, 0)
      end
      return options.no_methods and {} or new_socket(record, options.sockets or {})
    end,
  }
  api.config = { subsystem = options.subsystem or "http" }
  api.update_time = function()
    record.updates = record.updates + 1
  end
  -- A light thread runs at once, until it yields. That stands for a wait, which `wait` ends.
  local results = {}
  local function resume(thread, ...)
    results[thread] = { coroutine.resume(thread, ...) }
  end
  api.sleep = options.sleep or coroutine.yield
  api.thread = {
    spawn = function(body, ...)
      local thread = coroutine.create(body)
      resume(thread, ...)
      return thread
    end,
    wait = function(...)
      local first = ...
      for _, thread in ipairs { ... } do
        if coroutine.status(thread) == "dead" then
          return unpack(results[thread], 1, 4)
        end
      end
      resume(first)
      return unpack(results[first], 1, 4)
    end,
    kill = function(thread)
      assert(coroutine.status(thread) ~= "dead", "no co ctx found") -- as ngx_lua raises
      record.killed[#record.killed + 1] = coroutine.status(thread)
    end,
  }
  api.log = function(level, ...)
    local texts = {}
    for index = 1, select("#", ...) do
      texts[index] = tostring((select(index, ...)))
    end
    record.log[#record.log + 1] = level .. ": " .. table.concat(texts)
  end
  api.print = function(text)
    record.printed = record.printed .. text
  end
  add_request(api, options.request)
  return api, record
end

return fake
