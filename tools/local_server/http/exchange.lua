--- One request and its response, over a stream of lua-http.
-- A response is plain data that fault modes can change: `{ status =, body =, headers = { {name, value}, … } }`.

local new_headers = require("http.headers").new
local reason_phrases = require "http.h1_reason_phrases"

local exchange = {}
local methods = {}
local metatable = { __index = methods }

-- More body than this is refused, in bytes.
exchange.MAX_BODY = 16 * 1024 * 1024
-- Lines of a request's head may be this long, in bytes.
local MAX_LINE = 64 * 1024

-- Numbers the connections; a weak table, as the connection object is lua-http's.
local numbers = setmetatable({}, { __mode = "k" })
local last_number = 0

local function connection_number(connection)
  local number = numbers[connection]
  if not number then
    last_number = last_number + 1
    number = last_number
    numbers[connection] = number
  end
  return number
end

--- Reads the head of the next request.
-- @return the exchange, or nil when the client has closed
function exchange.read(stream, from)
  local connection = stream.connection
  if connection.setmaxline then
    connection:setmaxline(MAX_LINE)
  end
  local headers = stream:get_headers()
  if not headers then
    return nil
  end
  local target = headers:get(":path") or headers:get(":authority") or ""
  local path, query = target:match("^([^?]*)%??(.*)$")
  return setmetatable({
    stream = stream,
    headers = headers,
    listener = from.name,
    connection = connection_number(connection),
    method = headers:get(":method"),
    target = target,
    path = path,
    query = query,
  }, metatable)
end

--- The value of a request header, by its lower-case name ("host" works too).
function methods:header(name)
  return self.headers:get(name == "host" and ":authority" or name)
end

--- Reads the body once; later calls give the same text.
-- @return the body, or nil when it is longer than `MAX_BODY` or the client left
function methods:read_body()
  if self.body then
    return self.body
  end
  if self.headers:get("expect") then
    self.stream:write_continue()
  end
  local parts, size = {}, 0
  for chunk in self.stream:each_chunk() do
    size = size + #chunk
    if size > exchange.MAX_BODY then
      return nil
    end
    parts[#parts + 1] = chunk
  end
  self.body = #parts == 1 and parts[1] or table.concat(parts)
  return self.body
end

local date_second, date_text

local function http_date()
  local now = os.time()
  if now ~= date_second then
    date_second, date_text = now, os.date("!%a, %d %b %Y %H:%M:%S GMT", now)
  end
  return date_text
end

-- Head and body leave in one write: lua-http would flush after the head.
local function end_headers_unflushed(connection, timeout)
  return connection.socket:xwrite("\r\n", "f", timeout)
end

local function send(self, headers, body)
  local stream = self.stream
  if self.method == "HEAD" or body == "" then
    return stream:write_headers(headers, true)
  elseif self:is_http2() then
    return stream:write_headers(headers, false) and stream:write_chunk(body, true)
  end
  local connection = stream.connection
  connection.write_headers_done = end_headers_unflushed
  local ok = stream:write_headers(headers, false)
  connection.write_headers_done = nil
  return ok and stream:write_chunk(body, true)
end

--- Sends a response without any fault.
function methods:respond(reply)
  local body = reply.body or ""
  local headers = new_headers()
  headers:append(":status", tostring(reply.status or 200))
  headers:append("date", http_date())
  for _, pair in ipairs(reply.headers or {}) do
    headers:append(pair[1]:lower(), pair[2])
  end
  if not headers:has("content-type") then
    headers:append("content-type", reply.type or "text/plain; charset=utf-8")
  end
  self.status = reply.status or 200
  if self.status ~= 204 and self.status ~= 304 then
    headers:append("content-length", tostring(#body))
  end
  return send(self, headers, body)
end

--- The bytes of a response's head, as HTTP/1.1; for the raw modes.
-- `framing` is the header that delimits the body, or "" for none.
function exchange.render_head(reply, framing)
  local status = tostring(reply.status or 200)
  local lines = { "HTTP/1.1 " .. status .. " " .. (reason_phrases[status] or "Unassigned") }
  lines[#lines + 1] = "Date: " .. http_date()
  for _, pair in ipairs(reply.headers or {}) do
    lines[#lines + 1] = pair[1] .. ": " .. pair[2]
  end
  lines[#lines + 1] = "Content-Type: " .. (reply.type or "text/plain; charset=utf-8")
  if framing ~= "" then
    lines[#lines + 1] = framing or ("Content-Length: " .. #(reply.body or ""))
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

--- Takes the socket away from lua-http, to write bytes by hand.
-- @return the cqueues socket; raises over HTTP/2, where others share it
function methods:take_socket()
  assert(not self:is_http2(), "this needs HTTP/1.1")
  local socket = assert(self.stream.connection:take_socket(), "the client has gone")
  socket:onerror(function(_, _, code)
    return code
  end)
  socket:setmode("b", "bn")
  return socket
end

--- Calls `when_lost`: this request was served and the client will not get the response. To be called before the client
-- can notice.
function methods:lose_answer()
  if self.when_lost then
    self.when_lost(self)
  end
end

--- Whether the request came over HTTP/2.
function methods:is_http2()
  return self.stream.connection.version == 2
end

return exchange
