--- The wire server: sends responses that a spec gives, byte for byte. Of HTTP it knows only where a request ends.
-- Options: `host` (127.0.0.1) and `port` (0: any) to listen on.
--
-- Requests for /case get the response of the last `play` command. All others get a response of their own, JSON with
-- their `target` and the number of their `connection`. Commands:
--
-- play { bytes =, size =, pieces =, after =, late =, ending =, together =, own_size =, surplus =, silent = } closes all
-- connections, sets the response of /case and counts its arrivals from 0:
--   bytes    what is sent, `size` bytes at a time (default: all at once, so up to 64 KB arrive at once)
--   pieces   instead of these: a list of strings, each sent when the client's kernel has acknowledged the one before;
--            over TLS each begins a record
--   after    what happens then (default: keep):
--     keep, close, cut, reset, half   the connection stays open; ends in order; ends without close_notify; ends by RST;
--                                     ends in the direction to the client only
--     early    they are sent before the request's body is read; then `ending`
--     late     at the command `settle` the server sends `late` without a request; then `ending`
--     reuse    a later request for /case on the same connection gets `late` instead of `bytes`; then `ending`
--   ending   keep, close, cut, reset or half (default: keep)
--   together   the server waits for so many requests for /case and responds to all at once (default: 1);
--              with `reuse` only the first ones wait
--   own_size   how many bytes every other response has, its head included; it ends in spaces (default: no spaces)
--   surplus    what follows every other response at once
--   silent     true: the next connection is accepted and nothing more, not even a TLS handshake
-- settle {} does what is late. When it returns, every client's kernel has acknowledged all bytes and ends. Result:
--   `arrivals` of /case, `connection`: the number of the one that it arrived on last, `late`: on how many connections
--   something was late

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../../../?.lua;" .. package.path

local cjson = require "cjson"
local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local connections = require "tools.local_server.wire.link"
local posix = require "tools.local_server.http.posix"
local program = require "tools.local_server.http.program"
local tls = require "tools.local_server.http.tls"

local LIMIT = connections.LIMIT
local POLL = 0.001 -- seconds

local function write(link, bytes)
  return connections.write(link.socket, bytes)
end

local function wait_until_acknowledged(link)
  local fd, deadline = link.socket:pollfd(), cqueues.monotime() + LIMIT
  while posix.unacknowledged(fd) > 0 and cqueues.monotime() < deadline do
    cqueues.sleep(POLL)
  end
end

-- ---- how a connection ends: true when the next request may be read ----

local endings = {}

function endings.keep()
  return true
end

function endings.half(link)
  if link.encrypted then
    tls.send_close_notify(link.socket)
  end
  link.socket:shutdown("w")
  wait_until_acknowledged(link)
  return true
end

function endings.cut(link)
  link.socket:shutdown("w")
  wait_until_acknowledged(link)
  return false
end

function endings.close(link)
  endings.half(link)
  return false
end

function endings.reset(link)
  posix.reset_on_close(link.socket:pollfd())
  return false
end

local function finish(link, name)
  return endings[name or "keep"](link)
end

-- ---- requests ----

local function read_head(link)
  local line = link.socket:xread("*L")
  local target, length = line and line:match("^%u+ (%S+)"), 0
  while line and line ~= "\r\n" do
    length = tonumber(line:lower():match("^content%-length: *(%d+)")) or length
    line = link.socket:xread("*L")
  end
  return line and target, length
end

local function skip_body(link, length)
  while length > 0 do
    local bytes = link.socket:xread(-math.min(length, 65536))
    if not bytes then
      return false
    end
    length = length - #bytes
  end
  return true
end

local function send_pieces(link, pieces)
  for _, piece in ipairs(pieces) do
    if not write(link, piece) then
      return false
    end
    wait_until_acknowledged(link)
  end
  return true
end

-- Returns whether all were sent.
local function send_bytes(link, script)
  if script.pieces then
    return send_pieces(link, script.pieces)
  end
  local bytes, fd = script.bytes, link.socket:pollfd()
  local size = script.size or math.max(#bytes, 1)
  for position = 1, #bytes, size do
    posix.cork(fd, true)
    local sent = write(link, bytes:sub(position, position + size - 1))
    posix.cork(fd, false)
    if not sent then
      return false
    end
  end
  return true
end

local function play(link, script, length)
  if script.after == "early" then
    send_bytes(link, script)
    wait_until_acknowledged(link)
    return finish(link, script.ending) and skip_body(link, length)
  elseif not skip_body(link, length) then
    return false
  elseif script.after == "reuse" and link.played then
    write(link, script.late)
    return finish(link, script.ending)
  end
  link.played = true
  send_bytes(link, script)
  if script.after == "late" then
    link.late = script
    return true
  end
  return script.after == "reuse" or finish(link, script.after)
end

-- The head has the same size whatever the length is.
local function respond(link, script, target, length)
  local head = "HTTP/1.1 200 OK\r\nContent-Length: %05d\r\n\r\n"
  local body = cjson.encode { target = target, connection = link.number }
  body = body .. (" "):rep((script.own_size or 0) - #head:format(#body) - #body)
  return skip_body(link, length) and send_bytes(link, { bytes = head:format(#body) .. body .. (script.surplus or "") })
end

-- Until the number of arrivals is a multiple of `together`.
local function wait_for_others(state)
  local together = state.script.together or 1
  if state.script.after == "reuse" and state.arrivals > together then
    return
  end
  local wanted = math.ceil(state.arrivals / together) * together
  state.changed:signal()
  while state.arrivals < wanted do
    state.changed:wait(POLL)
  end
end

local function serve_request(state, link, target, length)
  if target ~= "/case" then
    return respond(link, state.script or {}, target, length)
  end
  state.arrivals, state.connection = state.arrivals + 1, link.number
  wait_for_others(state)
  return play(link, state.script, length)
end

-- Returns false at the end of the client's direction.
local function stay_silent(state, link)
  state.script.silent, link.busy = nil, false
  connections.read_to_end(link.socket)
  return false
end

local function shake_hands(state, link)
  if state.script and state.script.silent then
    return stay_silent(state, link)
  end
  return not link.context or link.socket:starttls(link.context, LIMIT)
end

local function serve(state, link)
  local going = shake_hands(state, link)
  link.encrypted = going and link.context ~= nil
  while going do
    link.busy = false
    state.changed:signal()
    local target, length = read_head(link)
    link.busy = true
    going = target and serve_request(state, link, target, length)
  end
  while link.late_now do
    state.changed:wait(POLL)
  end
  link.socket:close()
  state.links[link] = nil
  state.changed:signal()
end

local function open(state, cq, host, port, context)
  return connections.listen(cq, host, port, function(socket)
    state.connections = state.connections + 1
    local link = { socket = socket, context = context, number = state.connections, busy = true }
    state.links[link] = true
    cq:wrap(serve, state, link)
  end)
end

-- ---- commands ----

local function is_busy(state)
  for link in pairs(state.links) do
    if link.busy or link.late_now then
      return true
    end
  end
  return false
end

local function wait_while_busy(state)
  local deadline = cqueues.monotime() + LIMIT
  while is_busy(state) do
    assert(cqueues.monotime() < deadline, "a connection is still busy")
    state.changed:wait(POLL)
  end
end

-- The connection waits for its next request meanwhile, and closes at the end of its input.
local function send_late(state, link)
  local script = link.late
  link.late = nil
  if script.late ~= "" then
    write(link, script.late)
    wait_until_acknowledged(link)
  end
  if not finish(link, script.ending) then
    link.busy = true
    link.socket:shutdown("r")
  end
  link.late_now = false
  state.changed:signal()
end

local function settle(state)
  local late = 0
  wait_while_busy(state)
  for link in pairs(state.links) do
    if link.late then
      late, link.late_now = late + 1, true
      state.cq:wrap(send_late, state, link)
    end
  end
  wait_while_busy(state)
  return { arrivals = state.arrivals, connection = state.connection, late = late }
end

local function close_all(state)
  for link in pairs(state.links) do
    link.late = { late = "", ending = "close" }
  end
  settle(state)
end

local function check_script(script)
  assert(type(script.bytes) == "string" or type(script.pieces) == "table", "a script needs bytes or pieces")
  local after, ending = script.after or "keep", script.ending or "keep"
  assert(endings[after] or after == "early" or after == "late" or after == "reuse", "unknown after " .. after)
  assert(endings[ending], "unknown ending " .. ending)
  assert((after ~= "late" and after ~= "reuse") or script.late, "late bytes are missing")
end

program.run(function(cq, options)
  options = connections.options(options)
  local state = { cq = cq, links = {}, connections = 0, arrivals = 0, changed = condition.new() }
  local authority = tls.new_authority("Local test authority")
  local context = tls.new_context(authority, { names = { "localhost" }, addresses = { "127.0.0.1" } })
  local commands = {
    play = function(script)
      check_script(script)
      close_all(state)
      state.script, state.arrivals = script, 0
    end,
    settle = function()
      return settle(state)
    end,
  }
  program.start(cq, commands, {
    host = options.host,
    port = open(state, cq, options.host, options.port),
    tls_port = open(state, cq, options.host, 0, context),
    ca_file = program.write_file("ca.pem", authority.pem),
  })
end)
