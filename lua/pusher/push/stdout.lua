--- Push handler that prints each receipt as one line: for trials, and as a log that a program can read.
--
-- The line is printed at once, so nothing waits and nothing is dropped.

local access_mode = require "pusher.push.tinode.access_mode"
local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local callback = require "pusher.base.callback"
local configs = require "pusher.push.config"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local options = require "pusher.base.options"
local receipts = require "pusher.push.tinode.receipt"
local sources = require "pusher.base.sources"
local timestamp = require "pusher.push.tinode.timestamp"

local stdout = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.stdout" }

local fail = errors.fail

local function by_name(a, b)
  return ascii.less(a.name, b.name)
end

-- Go's %v of a decoded JSON value.
local function go_value(value)
  if value == nil then
    return "<nil>"
  elseif type(value) == "number" then
    return value % 1 == 0 and math.abs(value) < 1e21 and ("%.0f"):format(value)
      or json_codec.format_number("%.17g", value)
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
  for key, member in pairs(value) do
    parts[#parts + 1] = { name = go_value(key), value = member }
  end
  table.sort(parts, by_name)
  for index, part in ipairs(parts) do
    parts[index] = part.name .. ":" .. go_value(part.value)
  end
  return "map[" .. table.concat(parts, " ") .. "]"
end

--- Writes a receipt as tinode prints it. Not meant to be read by programs: nothing is escaped.
-- @tparam table|nil receipt as receipt.check returns
-- @treturn string
-- @source tinode: Handler.Push of push/stdout
-- @source Go fmt: the verb %v
function stdout.go(receipt)
  if receipt == nil then
    return "<nil>"
  end
  local to, payload = {}, receipt.payload
  for index, uid in ipairs(receipts.uids(receipt)) do
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
  local ok, message = io.stdout:write(line, "\n")
  if ok then
    ok, message = io.stdout:flush()
  end
  return ok, message
end

local OPTIONS = {
  write = { "function", default = print_line },
  json = json_codec.OPTION,
  clock = sources.CLOCK,
}

--- Makes a handler for `push.register`.
-- @tparam[opt] table given `{ write = function(line), json = { encode =, decode = }, clock = }`; `write` gets the line
--   without its end and may return nil, message; default: standard output
-- @treturn table|nil handler
-- @fails config
function stdout.new(given)
  arguments.check("new", 1, given, "table or nil")
  local checked, message, details = options.check(given or {}, OPTIONS)
  if not checked then
    return nil, message, details
  end
  return setmetatable({ json = checked.json, write = checked.write, clock = checked.clock, printed = 0 }, metatable)
end

local CONFIG = {
  enabled = { "boolean", default = false },
  format = { "string", default = "json", one_of = { "json", "go" } },
}

--- Starts the handler.
-- @tparam table given `{ enabled = false, format = "json" | "go" }`; other members are ignored
-- @treturn true|nil true
-- @fails config
-- @source tinode: Handler.Init of push/stdout
function methods:init(given)
  if self.started then
    return fail("config", "already initialized")
  end
  local checked, message, details = configs.check(given, CONFIG)
  if checked then
    self.started, self.ready, self.format = true, checked.enabled, checked.format
  end
  return checked and true, message, details
end

--- Returns whether receipts are accepted.
-- @treturn boolean
-- @source tinode: Handler.IsReady of push/stdout
function methods:is_ready()
  return self.ready == true
end

--- Prints a receipt.
-- @tparam table given receipt
-- @treturn true|nil true
-- @fails invalid, too_large, closed
-- @source tinode: Handler.Push of push/stdout
function methods:push(given)
  arguments.check("push", 1, given, "table")
  local line
  local receipt, message, details = receipts.check(given, self.clock())
  if receipt and self.format == "go" then
    line = stdout.go(receipt)
  elseif receipt then
    line, message, details = receipts.encode(receipt, self.json)
  end
  if not line then
    return nil, message, details
  end
  local ok
  ok, message = self.write(line)
  if not ok and message then
    return fail("closed", "cannot print: " .. callback.text(message))
  end
  self.printed = self.printed + 1
  return true
end

--- Stops the handler; it may be started again.
-- @treturn true
-- @source tinode: Handler.Stop of push/stdout
function methods:stop()
  self.ready, self.started = false, false
  return true
end

--- Counts what has been printed.
-- @treturn table `{ printed = lines }`
function methods:stats()
  return { printed = self.printed }
end

return stdout
