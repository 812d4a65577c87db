--- The fault modes of the local servers.
--
-- A mode is a function(exchange, options, process): `process()` runs the real handler once and returns its response
-- without sending it, so each mode chooses whether the request is served, and what the client gets. Numbers may be text
-- (from a query).

local cqueues = require "cqueues"
local new_headers = require("http.headers").new
local exchange_module = require "tools.local_server.http.exchange"
local posix = require "tools.local_server.http.posix"

local faults = {}

local modes = {}
faults.modes = modes

local render_head = exchange_module.render_head

-- How long a connection that is left hanging is kept, in seconds.
local HANG_LIMIT = 600

local function number(value, default)
  return tonumber(value) or default
end

local function with_body(reply)
  if not reply.body or reply.body == "" then
    reply.body = "{}"
  end
  return reply
end

local function write(socket, bytes)
  return socket:xwrite(bytes, "bn", HANG_LIMIT)
end

local function finish(socket, reset)
  if reset then
    posix.reset_on_close(socket:pollfd())
  else
    socket:shutdown("w")
    cqueues.poll(0)
  end
  socket:close()
end

-- Waits until the client closes its side.
local function wait_for_end(socket)
  local deadline = cqueues.monotime() + HANG_LIMIT
  while socket:xread(-4096, "b", deadline - cqueues.monotime()) do
    cqueues.poll(0)
  end
  socket:close()
end

local function is_set(value)
  return value ~= nil and value ~= false and value ~= "0" and value ~= "false"
end

--- Responds normally, `ms` milliseconds late (default 100).
function modes.delay(exchange, options, process)
  local reply = process()
  cqueues.sleep(number(options.ms, 100) / 1000)
  exchange:respond(reply)
end

--- Never responds; the request is not served unless `processed` is set.
function modes.hang(exchange, options, process)
  exchange:read_body()
  if is_set(options.processed) then
    process()
    exchange:lose_answer()
  end
  if exchange:is_http2() then
    cqueues.sleep(HANG_LIMIT)
  else
    wait_for_end(exchange:take_socket())
  end
end

--- Reads the head of the request and nothing more: the client's send stalls.
function modes.stop_reading(exchange)
  exchange:take_socket()
  cqueues.sleep(HANG_LIMIT)
end

--- Sends `bytes` (1) bytes of the whole response each `ms` (20) milliseconds; `part` "body" sends the head at once;
-- after `stop` milliseconds nothing more is sent.
function modes.trickle(exchange, options, process)
  local reply = with_body(process())
  local text, socket = render_head(reply) .. reply.body, exchange:take_socket()
  local step, pause = number(options.bytes, 1), number(options.ms, 20) / 1000
  local position, silent_at = 1, cqueues.monotime() + number(options.stop, HANG_LIMIT * 1000) / 1000
  if options.part == "body" then
    position = #text - #reply.body + 1
    write(socket, text:sub(1, position - 1))
  end
  while position <= #text and write(socket, text:sub(position, position + step - 1)) do
    position = position + step
    cqueues.sleep(pause)
    if cqueues.monotime() > silent_at then
      return wait_for_end(socket)
    end
  end
  finish(socket)
end

--- Ends the connection in the middle of the response: `at` "head" or "body" (default); `reset` sends RST instead of
-- FIN. The request has been served.
function modes.cut(exchange, options, process)
  local reply = with_body(process())
  exchange:lose_answer()
  local head = render_head(reply, "Content-Length: " .. #reply.body + 1000)
  local socket = exchange:take_socket()
  write(socket, options.at == "head" and head:sub(1, math.floor(#head / 2)) or head .. reply.body)
  if is_set(options.reset) then
    cqueues.sleep(0.01) -- lets the bytes arrive first: RST discards unread ones
  end
  finish(socket, is_set(options.reset))
end

--- Closes without a response and without serving the request.
function modes.drop(exchange, options)
  exchange:read_body()
  finish(exchange:take_socket(), is_set(options.reset))
end

--- Resets the connection (RST) without serving the request.
function modes.reset(exchange)
  exchange:read_body()
  finish(exchange:take_socket(), true)
end

--- Serves the request, then closes without a byte of the response.
function modes.lose_answer(exchange, options, process)
  process()
  exchange:lose_answer()
  finish(exchange:take_socket(), is_set(options.reset))
end

local GARBAGE = {
  bytes = "\0\1\2\255 this is not HTTP \r\n\r\n\r\n",
  status = "HTTP/1.1 abc What\r\nContent-Length: 2\r\n\r\n{}",
  version = "HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}",
  header = "HTTP/1.1 200 OK\r\nthis line has no colon\r\nContent-Length: 2\r\n\r\n{}",
  length = "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
  negative = "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
  lengths = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 7\r\n\r\n{}",
  chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
  chunk_size = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
  chunk_end = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}",
}
faults.GARBAGE = GARBAGE

--- Responds with something that is not HTTP; `form` is one of `faults.GARBAGE`.
function modes.garbage(exchange, options)
  exchange:read_body()
  local socket = exchange:take_socket()
  write(socket, assert(GARBAGE[options.form or "bytes"], "unknown form of garbage"))
  finish(socket)
end

local function write_much(socket, count, wrap)
  local block = ("x"):rep(16384)
  while count > 0 do
    local piece = block:sub(1, math.min(count, #block))
    if not write(socket, wrap and ("%x\r\n%s\r\n"):format(#piece, piece) or piece) then
      return false
    end
    count = count - #piece
  end
  return true
end

--- Sends a body of `bytes` (2 MiB) bytes; `form` is "length", "chunked" or "close" (ends with the connection).
function modes.oversize(exchange, options)
  exchange:read_body()
  local count, form = number(options.bytes, 2 * 1024 * 1024), options.form or "length"
  local framing = ({ length = "Content-Length: " .. ("%d"):format(count),
    chunked = "Transfer-Encoding: chunked", close = "Connection: close" })[form]
  local socket = exchange:take_socket()
  write(socket, render_head({ status = 200, type = "application/json" }, assert(framing, "unknown form")))
  if write_much(socket, count, form == "chunked") and form == "chunked" then
    write(socket, "0\r\n\r\n")
  end
  finish(socket)
end

--- Redirects to `to` (default: a place that counts who follows), `status` 302.
function modes.redirect(exchange, options)
  exchange:read_body()
  exchange:respond {
    status = number(options.status, 302),
    headers = { { "location", options.to or "/_misbehave/landed" } },
    body = "elsewhere\n",
  }
end

--- Responds, then closes the kept connection without having announced it. With `when` "reuse" it closes only when the
-- next request has begun to arrive, which is then not served (`reset`: by RST).
function modes.stale(exchange, options, process)
  local reply = with_body(process())
  local socket = exchange:take_socket()
  write(socket, render_head(reply) .. reply.body)
  if options.when == "reuse" then
    socket:xread(-65536, "b", HANG_LIMIT)
  end
  finish(socket, is_set(options.reset))
end

--- Sends the response, then `bytes` (100) surplus bytes; the connection stays open, and what arrives on it is not
-- served.
function modes.surplus(exchange, options, process)
  local reply = with_body(process())
  local socket = exchange:take_socket()
  write(socket, render_head(reply) .. reply.body .. ("z"):rep(number(options.bytes, 100)))
  wait_for_end(socket)
end

-- Chunks of `size` bytes on a connection that is kept.
local function keep_chunked(exchange, reply, size)
  local headers = new_headers()
  headers:append(":status", tostring(reply.status or 200))
  headers:append("content-type", reply.type or "text/plain; charset=utf-8")
  exchange.stream:write_headers(headers, false)
  for position = 1, #reply.body, size do
    exchange.stream:write_chunk(reply.body:sub(position, position + size - 1), false)
  end
  exchange.stream:write_chunk("", true)
end

--- Sends the response chunked, `size` (5) bytes at a time. With `keep` the connection is kept; without, chunks have
-- extensions, a trailer follows, and the connection ends.
function modes.chunked(exchange, options, process)
  local reply, size = with_body(process()), number(options.size, 5)
  if is_set(options.keep) then
    return keep_chunked(exchange, reply, size)
  end
  local socket = exchange:take_socket()
  write(socket, render_head(reply, "Transfer-Encoding: chunked\r\nConnection: close"))
  for position = 1, #reply.body, size do
    local piece = reply.body:sub(position, position + size - 1)
    write(socket, ("%X;name=value\r\n%s\r\n"):format(#piece, piece))
    cqueues.poll(0)
  end
  write(socket, "0\r\nX-Trailer: yes\r\n\r\n")
  finish(socket)
end

--- Sends the response without a length: it ends with the connection.
function modes.close_delimited(exchange, options, process)
  local reply = with_body(process())
  local head = render_head(reply, "Connection: close")
  local socket = exchange:take_socket()
  write(socket, (is_set(options.http10) and head:gsub("^HTTP/1%.1", "HTTP/1.0", 1) or head) .. reply.body)
  finish(socket)
end

--- Sends `count` (1) interim responses, 100 or `status`, before the final one.
function modes.interim(exchange, options, process)
  local reply = with_body(process())
  local interim = ("HTTP/1.1 %d Wait\r\nX-Interim: yes\r\n\r\n"):format(number(options.status, 100))
  local socket = exchange:take_socket()
  write(socket, interim:rep(number(options.count, 1)) .. render_head(reply, "Content-Length: "
    .. #reply.body .. "\r\nConnection: close") .. reply.body)
  finish(socket)
end

--- Sends `count` (1000) header lines of `bytes` (200) bytes each.
function modes.header_flood(exchange, options, process)
  local reply = with_body(process())
  local line = "X-Flood: " .. ("y"):rep(number(options.bytes, 200)) .. "\r\n"
  local head = render_head(reply)
  local socket = exchange:take_socket()
  write(socket, (head:gsub("\r\n\r\n$", "\r\n")))
  for _ = 1, number(options.count, 1000) do
    if not write(socket, line) then
      break
    end
  end
  write(socket, "\r\n" .. reply.body)
  finish(socket)
end

--- Responds with `status` (503) without serving the request; `retry_after` in seconds.
function modes.status(exchange, options)
  exchange:read_body()
  local after = options.retry_after
  exchange:respond {
    status = number(options.status or options.code, 503),
    headers = after and { { "retry-after", tostring(after) } } or nil,
    body = options.body or "failed on demand\n",
  }
end

--- Responds with exactly `status`, `headers` (name -> value or a list of pairs) and `body` without serving the request:
-- as some other server would.
function modes.answer(exchange, options)
  exchange:read_body()
  local headers = {}
  for name, value in pairs(options.headers or {}) do
    headers[#headers + 1] = type(value) == "table" and value or { name, tostring(value) }
  end
  exchange:respond { status = number(options.status, 200), headers = headers, body = options.body or "" }
end

--- Serves the request in the ordinary way.
function modes.none(exchange, _, process)
  exchange:respond(process())
end

return faults
