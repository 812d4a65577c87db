--- Reads one HTTP/1.1 answer from pieces of bytes as they arrive. Pure: it knows
-- no socket, so it is tested outside nginx, byte by byte.
--
-- Rules: RFC 9112 (message syntax, section 6: body length), RFC 9110 15.2 (1xx).
-- Every line, the head and the body are capped; garbage gives `nil, message, code`.

local response = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.ngx.response" }

--- Longest head, in bytes, interim answers and trailers included.
response.MAX_HEAD_BYTES = 64 * 1024

--- Starts reading an answer.
-- @tparam string method of the request: answers to HEAD and CONNECT have no body
-- @tparam number max_body_bytes
-- @treturn table parser; after feed() returned true: `status`, `headers` (raw lines), `body`
function response.new(method, max_body_bytes)
  return setmetatable({
    stage = "status",
    method = method,
    max_body_bytes = max_body_bytes,
    head_bytes = 0,
    body_bytes = 0,
    received = false, -- whether the server has said anything at all
    persistent = false, -- whether another request may follow on this connection
    surplus = false, -- whether the server sent more than its answer
    waiting = {}, -- pieces of a line or chunk that is not complete yet
    lines = {},
    pieces = {},
  }, metatable)
end

local function garbage(message)
  return nil, message, "network"
end

-- Stages return true when they are done with the answer, "more" when they need
-- further bytes, "next" when another stage goes on, or nil, message, code.
local stages = {}

-- A line from the buffer, or "more". Pieces without a line's end are kept in a
-- list, so that a server which sends single bytes costs no quadratic copying.
local function take_line(self)
  local newline = self.buffer:find("\n", self.position, true)
  local piece = self.buffer:sub(self.position, newline or -1)
  self.position = newline and newline + 1 or #self.buffer + 1
  self.head_bytes = self.head_bytes + #piece
  if self.head_bytes > response.MAX_HEAD_BYTES then
    return nil, ("the head of the answer is longer than %d bytes"):format(response.MAX_HEAD_BYTES), "too_large"
  end
  local waiting = self.waiting
  if not newline then
    waiting[#waiting + 1] = piece
    return "more"
  end
  if waiting[1] then
    waiting[#waiting + 1] = piece
    piece, self.waiting = table.concat(waiting), {}
  end
  self.line = piece:gsub("\r?\n$", "")
  return true
end

local function finish(self)
  self.stage = "done"
  self.headers = #self.lines > 0 and table.concat(self.lines, "\r\n") .. "\r\n" or ""
  self.body = table.concat(self.pieces)
  return true
end

local function too_large(self)
  return nil, ("the answer's body is longer than %d bytes"):format(self.max_body_bytes), "too_large"
end

function stages.status(self)
  local got, message, code = take_line(self)
  if got ~= true then
    return got, message, code
  end
  local minor, status = (self.line .. " "):match("^HTTP/1%.([01]) ([1-9]%d%d) ")
  if not minor then
    return garbage("the server did not answer in HTTP/1.1")
  end
  self.status = tonumber(status)
  self.persistent = minor == "1"
  self.lines, self.length, self.chunked = {}, nil, false
  self.stage = "header"
  return "next"
end

-- What decides about the body and the connection.
local fields = {}

fields["content-length"] = function(self, value)
  -- RFC 9112 6.3: several equal values are one, different ones are an attack.
  for word in (value .. ","):gmatch("%s*(.-)%s*,") do
    if not word:find("^%d+$") or #word > 15 or (self.length and self.length ~= tonumber(word)) then
      return garbage("the answer's Content-Length is not valid")
    end
    self.length = tonumber(word)
  end
  return true
end

fields["transfer-encoding"] = function(self, value)
  if self.chunked or value:lower() ~= "chunked" then
    return garbage("the answer's Transfer-Encoding is not supported")
  end
  self.chunked = true
  return true
end

fields.connection = function(self, value)
  if ("," .. value:lower():gsub("%s", "") .. ","):find(",close,", 1, true) then
    self.persistent = false
  end
  return true
end

local function begin_body(self)
  local status = self.status
  if status == 101 then
    return garbage("the server switched to another protocol")
  elseif status < 200 then
    self.stage = "status" -- RFC 9110 15.2: the final answer follows
    return "next"
  elseif self.method == "HEAD" or status == 204 or status == 304 or (self.method == "CONNECT" and status < 300) then
    return finish(self)
  elseif self.chunked then
    -- RFC 9112 6.3: with both, the connection cannot be trusted any further.
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
  return "next"
end

function stages.header(self)
  local got, message, code = take_line(self)
  if got ~= true then
    return got, message, code
  end
  local line, lines = self.line, self.lines
  if line == "" then
    return begin_body(self)
  elseif line:find("^[ \t]") and lines[1] then
    lines[#lines] = lines[#lines] .. " " .. line:gsub("^%s+", "") -- RFC 9112 5.2: an obsolete fold
    return "next"
  end
  local name, value = line:match("^([^%s:]+):[ \t]*(.-)[ \t]*$")
  if not name then
    return garbage("the answer has a line that is no header")
  end
  lines[#lines + 1] = line
  local field = fields[name:lower()]
  if field then
    got, message, code = field(self, value)
    if not got then
      return nil, message, code
    end
  end
  return "next"
end

-- Moves what has arrived of the `left` bytes; true when all are there.
local function take_bytes(self)
  local piece = self.buffer:sub(self.position, self.position + self.left - 1)
  self.position = self.position + #piece
  self.left = self.left - #piece
  self.body_bytes = self.body_bytes + #piece
  if piece ~= "" then
    self.pieces[#self.pieces + 1] = piece
  end
  return self.left == 0
end

function stages.body(self)
  if take_bytes(self) then
    return finish(self)
  end
  return "more"
end

function stages.until_close(self)
  self.left = self.max_body_bytes - self.body_bytes + 1
  if take_bytes(self) then
    return too_large(self)
  end
  return "more"
end

function stages.chunk_size(self)
  local got, message, code = take_line(self)
  if got ~= true then
    return got, message, code
  end
  local digits = self.line:match("^(%x+)[ \t]*$") or self.line:match("^(%x+)[ \t]*;")
  if not digits or #digits > 8 then
    return garbage("the answer has a chunk without a size")
  end
  self.head_bytes = self.head_bytes - #digits - 2 -- only what is odd about a size line counts
  self.left = tonumber(digits, 16)
  if self.left == 0 then
    self.stage = "trailer"
  elseif self.body_bytes + self.left > self.max_body_bytes then
    return too_large(self)
  else
    self.stage = "chunk"
  end
  return "next"
end

function stages.chunk(self)
  if not take_bytes(self) then
    return "more"
  end
  self.stage = "chunk_end"
  return "next"
end

function stages.chunk_end(self)
  local got, message, code = take_line(self)
  if got ~= true then
    return got, message, code
  elseif self.line ~= "" then
    return garbage("the answer has a chunk of another length than it says")
  end
  self.head_bytes = self.head_bytes - 2
  self.stage = "chunk_size"
  return "next"
end

function stages.trailer(self)
  local got, message, code = take_line(self)
  if got ~= true then
    return got, message, code
  elseif self.line == "" then
    return finish(self)
  end
  return "next"
end

--- Takes bytes that arrived.
-- @tparam string bytes
-- @treturn boolean|nil true when the answer is complete, false when more is
--   needed; or nil, message, code. Not to be called again after true or nil
function methods:feed(bytes)
  self.received = self.received or bytes ~= ""
  self.buffer, self.position = bytes, 1
  repeat
    local got, message, code = stages[self.stage](self)
    if got == nil then
      return nil, message, code
    end
  until got ~= "next" or (self.position > #bytes and self.stage ~= "done")
  if self.stage ~= "done" then
    return false
  end
  -- Bytes after the end belong to no request of ours.
  self.surplus = self.position <= #bytes
  self.persistent = self.persistent and not self.surplus
  return true
end

--- Takes the news that the server closed the connection.
-- @treturn true|nil true when that is this answer's proper end; or nil, message, code
function methods:close()
  if self.stage == "until_close" then
    return finish(self)
  elseif self.received then
    return garbage("the server closed the connection in the middle of its answer")
  end
  return garbage("the server closed the connection without an answer")
end

return response
