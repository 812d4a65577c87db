--- Reads one HTTP/1.1 response from pieces of bytes as they arrive. Pure: it knows no socket.
--
-- Rules: RFC 9112 (message syntax; section 6: body length), RFC 9110 15.2 (1xx). Head and body are limited, and reading
-- is linear in their length. An invalid response gives `nil, message, code`.

local ascii = require "pusher.base.ascii"

local response = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.ngx.response" }

local MAX_HEAD_BYTES = 64 * 1024 -- with interim responses and trailers
local MAX_KEPT_BYTES = 2048 -- of a head

--- Starts reading a response.
-- @tparam string method of the request: a response to HEAD has no body; of one to CONNECT only the head is read
--   (RFC 9110 9.3.6: a success has no body, whatever its headers say)
-- @tparam number max_body_bytes
-- @tparam[opt] table kept what the last head meant, kept here for `with_kept_head`: a server's heads differ once in a
--   second, by their date. To be shared by parsers of one limit
-- @treturn table parser: `received` = whether any byte has arrived; once feed() has returned true: `status`, `headers`
--   (raw lines), `body`, `persistent` = whether another request may follow on this connection, `surplus` = whether
--   bytes followed the response
function response.new(method, max_body_bytes, kept)
  return setmetatable({
    stage = "status",
    method = method,
    max_body_bytes = max_body_bytes,
    kept = method ~= "HEAD" and method ~= "CONNECT" and kept or nil, -- their heads mean something else
    head_bytes = 0,
    body_bytes = 0,
    received = false,
    waiting = {}, -- pieces of a line that is not complete yet
    pieces = {}, -- of the body
  }, metatable)
end

local function invalid(message)
  return nil, message, "network"
end

-- A stage returns true when the response is complete, nil, message, code when it is invalid, else nothing or false: the
-- current stage continues with what the buffer still has. Those of `on_line` get one line, the others read the buffer.
local on_line, stages = {}, {}

-- A line of the buffer, nil when it is not complete yet, or nil, message, code. Its pieces are kept in a list, so that
-- single bytes cause no quadratic copying.
local function take_line(self)
  local newline = self.buffer:find("\n", self.position, true)
  local piece = self.buffer:sub(self.position, newline or -1)
  self.position = (newline or #self.buffer) + 1
  self.head_bytes = self.head_bytes + #piece
  if self.head_bytes > MAX_HEAD_BYTES then
    return nil, ("the response head is longer than %d bytes"):format(MAX_HEAD_BYTES), "too_large"
  end
  local waiting = self.waiting
  if not newline then
    waiting[#waiting + 1] = piece
    return nil
  end
  if waiting[1] then
    waiting[#waiting + 1] = piece
    piece, self.waiting = table.concat(waiting), {}
  end
  return piece:sub(1, piece:byte(-2) == 13 and -3 or -2) -- without "\r\n" or "\n"
end

local function advance(self)
  local stage = on_line[self.stage]
  if not stage then
    return stages[self.stage](self)
  end
  local line, message, code = take_line(self)
  if line then
    return stage(self, line)
  end
  return nil, message, code
end

local function finish(self)
  self.body = table.concat(self.pieces)
  return true
end

local function too_large(self)
  return nil, ("the response body is longer than %d bytes"):format(self.max_body_bytes), "too_large"
end

-- RFC 9110 5.5, RFC 9112 2.2: such bytes make a line invalid.
local function has_control(line)
  return line:find("\0", 1, true) or line:find("\r", 1, true)
end

function on_line.status(self, line)
  local minor, status = (line .. " "):match("^HTTP/1%.([01]) ([1-9]%d%d) ")
  if not minor or has_control(line) then
    return invalid("the response is not HTTP/1.1")
  end
  self.status = tonumber(status)
  self.persistent = minor == "1"
  -- `lines`: header lines and what separates them
  self.stage, self.lines, self.length, self.chunked = "header", {}, nil, false
end

-- The headers that decide about the body and the connection, by name. They get the value with the spaces around it and
-- return a message when it is invalid.
local fields = {}

fields["content-length"] = function(self, value)
  -- RFC 9112 6.3: equal values count as one; different ones are an attack.
  for part in ("," .. value):gmatch(",([^,]*)") do
    local digits = part:match("^[ \t]*(%d+)[ \t]*$")
    if not digits or #digits > 15 or (self.length and self.length ~= tonumber(digits)) then
      return "invalid Content-Length"
    end
    self.length = tonumber(digits)
  end
end

fields["transfer-encoding"] = function(self, value)
  if self.chunked or ascii.lower(value):match("^[ \t]*([^ \t]+)[ \t]*$") ~= "chunked" then
    return "unsupported Transfer-Encoding"
  end
  self.chunked = true
end

fields.connection = function(self, value)
  if ("," .. ascii.lower(value):gsub("[ \t]", "") .. ","):find(",close,", 1, true) then
    self.persistent = false
  end
end

local function begin_body(self)
  local status = self.status
  self.headers = table.concat(self.lines)
  if status == 101 then
    return invalid("the server switched to another protocol")
  elseif status < 200 then
    self.stage = "status" -- RFC 9110 15.2: the final response follows
  elseif status == 204 then
    -- RFC 9110 8.6, RFC 9112 6.1: must not announce a body. One that does may send it, too.
    self.persistent = self.persistent and not self.chunked and (self.length or 0) == 0
    return finish(self)
  elseif self.method == "HEAD" or self.method == "CONNECT" or status == 304 then
    return finish(self)
  elseif self.chunked then
    -- RFC 9112 6.3: with both, the connection cannot be trusted afterwards.
    self.persistent = self.persistent and not self.length
    self.stage = "chunk_size"
  elseif self.length then
    if self.length > self.max_body_bytes then
      return too_large(self)
    elseif self.length == 0 then
      return finish(self)
    end
    self.left, self.stage = self.length, "body"
  else
    self.persistent, self.stage = false, "until_close"
  end
end

function on_line.header(self, line)
  local lines = self.lines
  if line == "" then
    return begin_body(self)
  elseif has_control(line) then
    return invalid("invalid header line")
  elseif line:find("^[ \t]") and lines[1] then
    if self.framing then
      return invalid("a folded " .. self.framing)
    end
    lines[#lines] = " " -- RFC 9112 5.2: an obsolete fold
    line = line:match("^[ \t]*(.*)")
  else
    local name = line:match("^([^ \t-\r:]+):")
    if not name then
      return invalid("invalid header line")
    end
    local field = self.method ~= "CONNECT" and fields[ascii.lower(name)]
    self.framing = field and name
    local message = field and field(self, line:sub(#name + 2))
    if message then
      return invalid(message)
    end
  end
  lines[#lines + 1], lines[#lines + 2] = line, "\r\n"
end

-- Moves what has arrived of the `left` bytes; true when they are complete.
local function take_bytes(self)
  local piece = self.buffer:sub(self.position, self.position + self.left - 1)
  self.position = self.position + #piece
  self.left = self.left - #piece
  self.body_bytes = self.body_bytes + #piece
  self.pieces[#self.pieces + 1] = piece
  return self.left == 0
end

function stages.body(self)
  return take_bytes(self) and finish(self)
end

function stages.until_close(self)
  self.left = self.max_body_bytes - self.body_bytes + 1
  if take_bytes(self) then
    return too_large(self)
  end
end

function on_line.chunk_size(self, line)
  local zeros, digits, after = line:match("^(0*)(%x*)[ \t]*()")
  local written = #zeros + #digits
  if written == 0 or #digits > 8 or (after <= #line and not line:find("^;", after)) then
    return invalid("invalid chunk size")
  end
  -- Of a size line only extensions count as head, and digits after the 16th, since zeros before a size are not limited.
  self.head_bytes = self.head_bytes - math.min(written, 16) - 2
  self.left = tonumber(digits, 16) or 0
  if self.left == 0 then
    self.stage = "trailer"
  elseif self.body_bytes + self.left > self.max_body_bytes then
    return too_large(self)
  else
    self.stage = "chunk"
  end
end

function stages.chunk(self)
  if take_bytes(self) then
    self.stage = "chunk_end"
  end
end

function on_line.chunk_end(self, line)
  if line ~= "" then
    return invalid("a chunk is longer than its size")
  end
  self.head_bytes = self.head_bytes - 2
  self.stage = "chunk_size"
end

function on_line.trailer(self, line)
  return line == "" and finish(self)
end

-- Called after each line of the first bytes: keeps the head if it has just ended and a body of known length follows.
local function keep_head(self, bytes)
  local kept, size = self.kept, self.position - 1
  if self.stage ~= "body" or size > MAX_KEPT_BYTES then
    return
  end
  -- What may fail for lack of memory comes first. The size, which `with_kept_head` compares, is set when all is there.
  local head = bytes:sub(1, size)
  kept.head, kept.status, kept.headers, kept.persistent = head, self.status, self.headers, self.persistent
  kept.size = size + self.length
end

--- A whole response with the head that a parser kept, as nearly all are; any other one is for a parser.
-- @tparam string method of the request
-- @tparam table kept as for `new`
-- @tparam string bytes the first that arrived
-- @treturn table|nil what a parser has once it is complete
function response.with_kept_head(method, kept, bytes)
  local head = kept.head
  if #bytes ~= kept.size or method == "HEAD" or method == "CONNECT" or bytes:sub(1, #head) ~= head then
    return nil
  end
  return { status = kept.status, headers = kept.headers, body = bytes:sub(#head + 1), persistent = kept.persistent,
    surplus = false }
end

--- Takes bytes that arrived. Must not be called again after it returned true or nil.
-- @tparam string bytes
-- @treturn boolean|nil whether the response is complete; nil, message, code when it is invalid
function methods:feed(bytes)
  local kept = not self.received and self.kept
  self.received = self.received or bytes ~= ""
  self.buffer, self.position = bytes, 1
  repeat
    local in_head = kept and self.stage == "header"
    local done, message, code = advance(self)
    if in_head then
      keep_head(self, bytes)
    end
    if message then
      return nil, message, code
    elseif done then
      self.surplus = self.position <= #bytes
      self.persistent = self.persistent and not self.surplus
      return true
    end
  until self.position > #bytes
  return false
end

--- Signals that the server closed the connection.
-- @treturn true|nil true when this completes the response; nil, message, code otherwise
function methods:close()
  if self.stage == "until_close" then
    return finish(self)
  elseif self.received then
    return invalid("the server closed the connection in the middle of the response")
  end
  return invalid("the server closed the connection without a response")
end

return response
