--- Push handler that prints each receipt as one line: for trying things out, and as
-- a log that a program can read.
--
-- The line is printed at once, so nothing waits and nothing is dropped.

local access_mode = require "pusher.push.tinode.access_mode"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local options_module = require "pusher.base.options"
local receipt_room = require "pusher.push.tinode.receipt"
local timestamp = require "pusher.push.tinode.timestamp"
local arguments = require "pusher.base.arguments"

local stdout = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.stdout" }

local fail = errors.fail

local FORMATS = { json = true, go = true }

-- Go's %v of a decoded JSON value.
local function go_value(value)
  if value == nil then
    return "<nil>"
  elseif type(value) == "number" then
    return value % 1 == 0 and math.abs(value) < 1e21 and ("%.0f"):format(value) or ("%.17g"):format(value)
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  if #value > 0 then
    for index = 1, #value do
      parts[index] = go_value(value[index])
    end
    return "[" .. table.concat(parts, " ") .. "]"
  end
  for key in pairs(value) do
    parts[#parts + 1] = tostring(key)
  end
  table.sort(parts)
  for index, key in ipairs(parts) do
    parts[index] = key .. ":" .. go_value(value[key])
  end
  return "map[" .. table.concat(parts, " ") .. "]"
end

--- Writes a receipt as the chat server prints it. Not meant to be read by programs: nothing is escaped.
-- @tparam table|nil receipt as receipt.check returns
-- @treturn string
function stdout.go(receipt)
  if not receipt then
    return "<nil>"
  end
  local to, payload = {}, receipt.payload
  for index, uid in ipairs(receipt_room.uids(receipt)) do
    local recipient = receipt.to[uid]
    to[index] = ("%s:{%.0f [%s] %.0f}"):format(
      uid, recipient.delivered, table.concat(recipient.devices, " "), recipient.unread)
  end
  return ("&{map[%s] {%s %s %s %s %s %.0f %s %s %s %s}}"):format(
    table.concat(to, " "), payload.what, tostring(payload.silent), payload.topic, timestamp.go(payload.ts),
    payload.from, payload.seq, payload.mime, go_value(payload.content),
    access_mode.format(payload.want), access_mode.format(payload.given))
end

local function print_line(line)
  local ok, problem = io.stdout:write(line, "\n")
  if ok then
    ok, problem = io.stdout:flush()
  end
  return ok, problem
end

local OPTIONS = {
  write = { "function", default = print_line },
  json = { "table" },
  clock = { "function", default = os.time },
}
stdout.OPTIONS = OPTIONS

--- Makes a handler for `push.register`.
-- @tparam[opt] table given `{ write = function(line), json = { encode =, decode = }, clock = }`;
--   `write` gets the line without its end and may return nil, message; default: standard output
-- @treturn table|nil handler
function stdout.new(given)
  arguments.check("new", 1, given, "table or nil")
  local options, message, details = options_module.check(given or {}, OPTIONS)
  if not options then
    return nil, message, details
  end
  local json
  json, message, details = json_codec.new(options.json)
  if not json then
    return nil, message, details
  end
  return setmetatable({ json = json, write = options.write, clock = options.clock, printed = 0 }, metatable)
end

--- Starts the handler.
-- @tparam table config `{ enabled = false, format = "json" | "go" }`; `buffer` is accepted and not needed
-- @treturn true|nil
function methods:init(config)
  if self.started then
    return fail("config", "already initialized")
  elseif type(config) ~= "table" then
    return fail("config", "failed to parse config: an object expected, got " .. type(config))
  end
  local format = config.format or "json"
  if not FORMATS[format] then
    return fail("config", 'failed to parse config: format must be "json" or "go"', { field = "format" })
  elseif config.enabled ~= nil and type(config.enabled) ~= "boolean" then
    return fail("config", "failed to parse config: enabled must be a boolean", { field = "enabled" })
  end
  self.started, self.ready, self.format = true, config.enabled == true, format
  return true
end

--- @treturn boolean whether receipts are taken
function methods:is_ready()
  return self.ready == true
end

--- Prints a receipt.
-- @tparam table given receipt
-- @treturn true|nil
function methods:push(given)
  local line
  local receipt, message, details = receipt_room.check(given, self.clock())
  if receipt and self.format == "go" then
    line = stdout.go(receipt)
  elseif receipt then
    line, message, details = receipt_room.encode(receipt, self.json)
  end
  if not line then
    return nil, message, details
  end
  local ok, problem = self.write(line)
  if not ok and problem then
    return fail("closed", "cannot print: " .. tostring(problem))
  end
  self.printed = self.printed + 1
  return true
end

--- Ends the handler; it may be started again.
function methods:stop()
  self.ready, self.started = false, false
  return true
end

--- @treturn table `{ printed = lines }`
function methods:stats()
  return { printed = self.printed }
end

return stdout
