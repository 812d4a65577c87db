--- A small HTTP client for checks of nginx: it sends what the check says, byte for byte if needed, and returns the
-- response unchanged. One connection per request.

local socket = require "cqueues.socket"

local http = {}

local DEFAULT_SECONDS = 120

local function head_of(options, body)
  local lines = { ("%s %s HTTP/1.1"):format(options.method or (body and "POST" or "GET"), options.path) }
  local given = {}
  for name, value in pairs(options.headers or {}) do
    given[name:lower()] = true
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      lines[#lines + 1] = name .. ": " .. one
    end
  end
  local function default(name, value)
    if not given[name:lower()] then
      lines[#lines + 1] = name .. ": " .. value
    end
  end
  default("Host", "localhost")
  default("Connection", "close")
  if body then
    default("Content-Type", "application/x-www-form-urlencoded")
    default("Content-Length", #body)
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function decode_chunked(text)
  local out, position = {}, 1
  while true do
    local size, after = text:match("^(%x+)[^\r\n]*\r\n()", position)
    size = assert(tonumber(size, 16), "not chunked")
    if size == 0 then
      return table.concat(out)
    end
    out[#out + 1] = text:sub(after, after + size - 1)
    position = after + size + 2
  end
end

--- Parses the text of one response.
-- @treturn table `{ status =, headers = names in lower case; a repeated one is joined by ", ", body = }`
function http.parse(text)
  local head, body = text:match("^(.-\r\n)\r\n(.*)$")
  local status = head and tonumber(head:match("^HTTP/1%.%d (%d%d%d)"))
  assert(status, "no response, but: " .. text:sub(1, 200))
  if status < 200 then
    return http.parse(body)
  end
  local headers = {}
  for raw_name, value in head:gmatch("\r\n([^:\r\n]+):%s*([^\r\n]*)") do
    local name = raw_name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  if headers["transfer-encoding"] == "chunked" then
    body = decode_chunked(body)
  end
  return { status = status, headers = headers, body = body }
end

--- Opens a connection.
function http.connect(host, port, seconds)
  local connection = assert(socket.connect { host = host, port = port })
  connection:onerror(function(_, _, code) return code end)
  connection:setmode("b", "bn")
  connection:settimeout(seconds or DEFAULT_SECONDS)
  assert(connection:connect(), "cannot connect")
  return connection
end

--- Sends one request and reads the response until the server closes.
-- @tparam table options `host`, `port`, `path`, `method`, `headers`, `body`, `seconds`; or `raw`, the bytes to send;
--   `meanwhile` = function() is called when the request has been sent
function http.request(options)
  local connection = http.connect(options.host, options.port, options.seconds)
  connection:write(options.raw or head_of(options, options.body) .. (options.body or ""))
  if options.meanwhile then
    options.meanwhile()
  end
  local parts = {}
  repeat
    local bytes = connection:read(-65536)
    parts[#parts + 1] = bytes
  until not bytes
  connection:close()
  return http.parse(table.concat(parts))
end

return http
