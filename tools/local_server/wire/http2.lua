--- The HTTP/2 server of the wire: plays what a spec gives, frame by frame. Of HTTP/2 it knows only where a request ends.
-- Options: `host` (127.0.0.1) and `port` (0: any) to listen on.
--
-- Every request gets status 200 and JSON with the number of its `connection` and its `stream`, unless the script has
-- something else for it. Commands:
--
-- play { script =, unready = } closes all connections and forgets the requests. `script` is a list: what happens at the
-- first request from now on, whichever connection it comes on, at the second and so on. An item is {}, or has
--   reset    RST_STREAM with this error code instead of a response
--   goaway   GOAWAY, whose last stream is the request's plus this number (-2: the request is refused), or several, given
--            as a list; before the response or instead of it
--   respond  true: with `goaway` the response is sent, too; false: nothing comes for this request
--   hold     true: the response is sent at the command `release`
--   head     true: the response has a head and no end
--   close    true: then the connection ends
--   silent   true: nothing more comes on this connection, and it stays open
-- The first `unready` connections are accepted and nothing more happens on them: no TLS handshake.
-- release {} sends the responses that are held.
-- inspect {} -> `{ requests = { { connection =, stream = }, … }, connections = }`

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../../../?.lua;" .. package.path

local cjson = require "cjson"
local connections = require "tools.local_server.wire.link"
local program = require "tools.local_server.http.program"
local tls = require "tools.local_server.http.tls"

-- RFC 9113 section 6
local DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
local END_STREAM, ACK, END_HEADERS = 1, 1, 4
local PREFACE_BYTES, HEAD_BYTES = 24, 9
local STATUS_200 = "\136" -- RFC 7541 appendix A, index 8

-- ---- frames ----

local function uint32(number)
  local bytes = {}
  for index = 4, 1, -1 do
    bytes[index] = string.char(number % 256)
    number = math.floor(number / 256)
  end
  return table.concat(bytes)
end

local function to_number(bytes)
  local number = 0
  for index = 1, #bytes do
    number = number * 256 + bytes:byte(index)
  end
  return number
end

local function frame(kind, flags, stream, payload)
  return uint32(#payload):sub(2) .. string.char(kind, flags) .. uint32(stream) .. payload
end

local function write(link, ...)
  return connections.write(link.socket, table.concat { ... })
end

local function read_frame(link)
  local head = link.socket:xread(HEAD_BYTES)
  if not head or #head < HEAD_BYTES then
    return nil
  end
  local length = to_number(head:sub(1, 3))
  local payload = length == 0 and "" or link.socket:xread(length)
  return payload and { kind = head:byte(4), flags = head:byte(5), stream = to_number(head:sub(6)), payload = payload }
end

-- ---- requests ----

local function respond(link, stream)
  write(link, frame(HEADERS, END_HEADERS, stream, STATUS_200),
    frame(DATA, END_STREAM, stream, cjson.encode { connection = link.number, stream = stream }))
end

local function send_goaways(link, stream, list)
  for _, above in ipairs(list) do
    link.last_stream = math.max(0, stream + above)
    write(link, frame(GOAWAY, 0, 0, uint32(link.last_stream) .. uint32(0)))
  end
end

-- Returns false when the connection is to end. After GOAWAY the requests above its last stream are ignored.
local function serve_request(state, link, stream)
  if stream > (link.last_stream or math.huge) then
    return true
  end
  state.requests[#state.requests + 1] = { connection = link.number, stream = stream }
  local item = state.script[#state.requests] or {}
  link.silent = link.silent or item.silent
  if link.silent then
    return true
  elseif item.goaway then
    send_goaways(link, stream, type(item.goaway) == "table" and item.goaway or { item.goaway })
  elseif item.hold then
    state.held[#state.held + 1] = { link = link, stream = stream }
  elseif item.head then
    write(link, frame(HEADERS, END_HEADERS, stream, STATUS_200))
  elseif item.reset then
    write(link, frame(RST_STREAM, 0, stream, uint32(item.reset)))
  end
  if item.respond or next(item) == nil then
    respond(link, stream)
  end
  return not item.close
end

local function serve_frames(state, link)
  local going = link.socket:xread(PREFACE_BYTES) and write(link, frame(SETTINGS, 0, 0, ""))
  while going do
    local got = not link.closed and read_frame(link)
    local ends = got and got.flags % 2 == 1
    going = got and not link.closed
    if going and (got.kind == HEADERS or got.kind == DATA) and ends then
      going = serve_request(state, link, got.stream)
    elseif going and (got.kind == SETTINGS or got.kind == PING) and not ends and not link.silent then
      write(link, frame(got.kind, ACK, 0, got.kind == PING and got.payload or ""))
    end
  end
end

-- ---- connections ----

-- A socket that is closed with input unread sends RST, and the peer may lose what it has not read.
local function close(link)
  link.socket:shutdown("w")
  connections.read_to_end(link.socket)
  link.socket:close()
end

local function serve(state, link)
  if state.unready > 0 then
    state.unready = state.unready - 1
    connections.read_to_end(link.socket)
  elseif link.socket:starttls(state.context, connections.LIMIT) then
    serve_frames(state, link)
  end
  close(link)
  state.links[link] = nil
end

local function listen(state, cq, options)
  return connections.listen(cq, options.host, options.port, function(socket)
    state.connections = state.connections + 1
    local link = { socket = socket, number = state.connections }
    state.links[link] = true
    cq:wrap(serve, state, link)
  end)
end

local MEMBERS = { reset = true, goaway = true, respond = true, hold = true, head = true, close = true, silent = true }

local function play(state, given)
  for _, item in ipairs(given.script or {}) do
    for name in pairs(item) do
      assert(MEMBERS[name], "unknown member " .. name)
    end
  end
  for link in pairs(state.links) do
    link.closed = true
    link.socket:shutdown("rw")
  end
  state.script, state.unready, state.requests, state.held = given.script or {}, given.unready or 0, {}, {}
end

program.run(function(cq, options)
  options = connections.options(options)
  local authority = tls.new_authority("Local test authority")
  local state = { links = {}, connections = 0, script = {}, unready = 0, requests = {}, held = {} }
  state.context = tls.new_context(authority,
    { names = { "localhost" }, addresses = { "127.0.0.1" }, protocols = { "h2" } })
  local commands = {
    play = function(given)
      play(state, given)
    end,
    release = function()
      for _, held in ipairs(state.held) do
        respond(held.link, held.stream)
      end
      state.held = {}
    end,
    inspect = function()
      return { requests = state.requests, connections = state.connections }
    end,
  }
  program.start(cq, commands, {
    host = options.host,
    tls_port = listen(state, cq, options),
    ca_file = program.write_file("ca.pem", authority.pem),
  })
end)
