--- The HTTP/2 server of the wire: plays what a spec gives, frame by frame. Of HTTP/2 it knows only where a request ends.
-- Options: `host` (127.0.0.1) and `port` (0: any) to listen on.
--
-- Every request gets status 200 and JSON with the number of its `connection` and its `stream`, unless the script has
-- something else for it. Commands:
--
-- play { script =, unready = } closes all connections and forgets the requests. `script` is a list: what happens at the
-- first request from now on, whichever connection it comes on, at the second and so on. An item is {}, or has
--   reset    RST_STREAM with this error code instead of a response
--   goaway   GOAWAY, whose last stream is this number above that of the request; before the response or instead of it
--   respond  true: with `goaway` the response is sent, too; false: nothing comes for this request
--   close    true: then the connection ends
--   silent   true: nothing more comes on this connection, and it stays open
-- So many connections as `unready` says are accepted first, and nothing more: not even a TLS handshake.
-- inspect {} -> `{ requests = { { connection =, stream = }, … }, connections = }`

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../../../?.lua;" .. package.path

local cjson = require "cjson"
local cqueues = require "cqueues"
local cs = require "cqueues.socket"
local program = require "tools.local_server.http.program"
local tls = require "tools.local_server.http.tls"

local LIMIT = 10 -- seconds: how long a peer may take to shake hands and to read

-- RFC 9113 section 6
local DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
local END_STREAM, ACK, END_HEADERS = 1, 1, 4
local PREFACE_BYTES, HEAD_BYTES = 24, 9
local STATUS_200 = "\136" -- RFC 7541 appendix A, index 8

local function quiet(_, _, code)
  return code
end

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
  return link.socket:xwrite(table.concat { ... }, "bn", LIMIT)
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
    link.last_stream = math.max(0, stream + item.goaway)
    write(link, frame(GOAWAY, 0, 0, uint32(link.last_stream) .. uint32(0)))
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

local function read_to_end(link)
  while link.socket:xread(-65536) do
    cqueues.poll(0)
  end
end

-- A socket that is closed with input unread sends RST, and the peer may lose what it has not read.
local function close(link)
  link.socket:shutdown("w")
  read_to_end(link)
  link.socket:close()
end

local function serve(state, link)
  if state.unready > 0 then
    state.unready = state.unready - 1
    read_to_end(link)
  elseif link.socket:starttls(state.context, LIMIT) then
    serve_frames(state, link)
  end
  close(link)
  state.links[link] = nil
end

local function listen(state, cq, options)
  local listening = cs.listen { host = options.host, port = options.port }
  assert(listening:listen())
  cq:wrap(function()
    while true do
      local socket = listening:accept { nodelay = true }
      socket:onerror(quiet)
      socket:setmode("b", "bn")
      state.connections = state.connections + 1
      local link = { socket = socket, number = state.connections }
      state.links[link] = true
      cq:wrap(serve, state, link)
    end
  end)
  return (select(3, listening:localname()))
end

local function play(state, given)
  for link in pairs(state.links) do
    link.closed = true
    link.socket:shutdown("rw")
  end
  state.script, state.unready, state.requests = given.script or {}, given.unready or 0, {}
end

program.run(function(cq, options)
  options = { host = options.host or "127.0.0.1", port = options.port or 0 }
  local authority = tls.new_authority("Local test authority")
  local state = { links = {}, connections = 0, script = {}, unready = 0, requests = {} }
  state.context = tls.new_context(authority,
    { names = { "localhost" }, addresses = { "127.0.0.1" }, protocols = { "h2" } })
  local commands = {
    play = function(given)
      play(state, given)
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
