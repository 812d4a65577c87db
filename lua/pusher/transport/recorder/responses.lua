--- The responses that a test has set, in order, each for one or more requests. Pure.

local ascii = require "pusher.base.ascii"
local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local list = require "pusher.base.list"
local options = require "pusher.base.options"

local responses = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.recorder.responses" }

-- The failures of transports: the message, and `sent`, which is false when surely nothing reached the server.
local FAILURES = {
  closed = { "the transport is closed", false },
  config = { "the transport cannot send this request", false },
  full = { "max_pending calls are in flight already", false },
  invalid = { "the request cannot be sent", false },
  network = { "the connection broke" },
  timeout = { "the deadline passed" },
  tls = { "the certificate could not be verified", false },
  too_large = { "the response is larger than max_response_bytes" },
}
local CODES = { "closed", "config", "full", "invalid", "network", "timeout", "tls", "too_large" }

responses.DECLARED = {
  status = { "number", min = 100, max = 999, integer = true },
  body = { "string", "table" },
  headers = { "table", "string" },
  code = { "string", one_of = CODES },
  message = { "string" },
  sent = { "boolean" },
  method = { "string" },
  path = { "string" },
  times = { "number", default = 1, min = 1, max = math.huge },
}

--- Makes an object without responses.
-- @tparam table json as json.new returns
function responses.new(json)
  return setmetatable({ json = json, list = list.new() }, metatable)
end

local function is_header_value(value)
  return type(value) == "string" or type(value) == "number"
end

-- Whether a table maps names to values or to lists of values.
local function are_headers(given)
  for name, value in next, given do
    local values = type(value) == "table" and value or { value }
    if type(name) ~= "string" or rawget(values, 1) == nil then
      return false
    end
    for _, one in next, values do
      if not is_header_value(one) then
        return false
      end
    end
  end
  return true
end

-- The option that could never have an effect, and why.
local function mistake(read)
  if type(read.headers) == "table" and not are_headers(read.headers) then
    return "headers", "must map names to texts, numbers or lists of them, or be header lines"
  elseif read.method and read.method ~= ascii.upper(read.method) then
    return "method", 'must be in capitals, such as "POST"'
  elseif read.path and read.path:find("?", 1, true) then
    return "path", "must be without the query, which is not compared"
  elseif read.times ~= math.huge and read.times % 1 ~= 0 then
    return "times", "must be a whole number or math.huge"
  end
end

-- Whether members are given that exclude each other: the message, or nil.
local function contradiction(read)
  local status = read.status and ("status %d"):format(read.status)
  local other = status or read.body and "a body" or read.headers and "headers"
  if read.code and other then
    return ('code cannot be combined with status, body or headers; got code "%s" and %s'):format(read.code, other)
  elseif not read.code and (read.message or read.sent ~= nil) then
    return "message and sent need a code"
  end
end

--- Adds a response; its tables are copied.
-- @tparam table given as recorder:respond takes it
-- @treturn true|nil failures have the code `config` or `invalid`
function methods:add(given)
  local read, message, details = options.check(given, responses.DECLARED)
  if not read then
    return nil, message, details
  end
  message = contradiction(read)
  if message then
    return errors.fail("config", message, { field = "code" })
  end
  local field, fault = mistake(read)
  if field then
    return errors.fail("config", ('option "%s" %s'):format(field, fault), { field = field })
  elseif type(read.body) == "table" then
    read.body, message, details = self.json.encode(read.body)
    if message then
      return nil, "body: " .. message, details
    end
  end
  read.headers = http.header_lines(read.headers)
  self.list:push(read)
  return true
end

local function matches(response, method, path)
  local suffix = response.path or ""
  return (response.method or method) == method and path:sub(#path - #suffix + 1) == suffix
end

--- Takes the first response for a request.
-- @tparam string method
-- @tparam string path
-- @treturn table `status`, `headers`, `body` or nil; or `code`, `message`, `sent`. Empty when none was set
function methods:take(method, path)
  local response = self.list.first
  while response and not matches(response, method, path) do
    response = response.next
  end
  if not response then
    return {}
  end
  response.times = response.times - 1
  if response.times < 1 then
    self.list:remove(response)
  end
  return response
end

--- The failure that a response stands for.
-- @tparam table response with a `code`
-- @return nil, message, details
function responses.fail(response)
  local failure, sent = FAILURES[response.code], response.sent
  if sent == nil then
    sent = failure[2]
  end
  return errors.fail(response.code, response.message or failure[1], { sent = sent })
end

return responses
