--- Push plug-ins: handlers under names, configured together, each given every receipt.
--
-- A handler is a table with `push(self, receipt)` and, where it needs them, `init(self, config)`,
-- `is_ready(self)`, `step(self, seconds)`, `stop(self, seconds)` and `stats(self)`. It returns what all of
-- this library returns: something true, or nil, message, details. `push` must not block: it takes the
-- receipt, or fails with the code `full`.
--
-- `push.new()` makes a registry. A chat server has one, which whoever sends a message finds without being
-- handed it, as in the original; for such programs the module is a registry itself: `push.register(…)`.

local core = require "pusher.core"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local options_module = require "pusher.base.options"
local receipt_room = require "pusher.push.tinode.receipt"
local slot_room = require "pusher.push.slot"
local arguments = require "pusher.base.arguments"

local push = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push" }

--- What a payload is about: a message, or a subscription.
push.ACT_MSG = "msg"
push.ACT_SUB = "sub"

local fail, argument = errors.fail, arguments.check
local is_null = json_codec.is_null

local DRAIN = 5 -- seconds that stop gives the handlers
local SLICE = 0.05 -- seconds that a handler may take while others wait for their turn

local OPTIONS = {
  strict = { "boolean", default = false },
  json = { "table" },
  log = { "function", default = function() end },
  clock = { "function", default = os.time },
  now = { "function", default = core.now },
}
push.OPTIONS = OPTIONS

--- Makes a registry.
-- @tparam[opt] table given `strict` (false): a configured name that nobody registered is an error; `json`,
--   `log` = function(level, message, fields), `clock` = function returning Unix seconds, `now`
-- @treturn table|nil registry; nil, message, details otherwise
function push.new(given)
  argument("new", 1, given, "table or nil")
  local options, message, details = options_module.check(given or {}, OPTIONS)
  if not options then
    return nil, message, details
  end
  local json
  json, message, details = json_codec.new(options.json)
  if not json then
    return nil, message, details
  end
  return setmetatable({ options = options, json = json, by_name = {}, slots = {} }, metatable)
end

--- Makes a handler known. Done once per name, at the program's start.
-- @tparam string name as the configuration has it
-- @tparam table handler see the head of this file; raises when it is none, or the name is taken
function methods:register(name, handler)
  argument("register", 1, name, "string")
  if handler == nil then
    error("Register: push handler is nil", 2)
  elseif type(handler) ~= "table" or type(handler.push) ~= "function" then
    error(("bad argument #2 to 'register' (table with a function push expected, got %s)"):format(type(handler)), 2)
  elseif self.by_name[name] then
    error("Register: called twice for handler " .. name, 2)
  end
  self.by_name[name] = slot_room.new(name, handler)
  self.slots[#self.slots + 1] = self.by_name[name]
end

local function check_entries(list)
  if is_null(list) then
    return {} -- JSON's null
  elseif type(list) ~= "table" or not arguments.list_length(list) then
    return fail("config", "failed to parse config: a list expected, got "
      .. (type(list) == "table" and "an object" or type(list)))
  end
  for _, entry in ipairs(list) do
    if type(entry) ~= "table" and not is_null(entry) then
      return fail("config", "failed to parse config: an entry must be { name =, config = }, got " .. type(entry))
    end
    local name = type(entry) == "table" and entry.name or nil
    if type(name) ~= "string" and not is_null(name) then
      return fail("config", "failed to parse config: name must be a string, got " .. type(name))
    end
  end
  return list
end

local function read_config(self, config)
  if type(config) == "table" then
    return check_entries(config)
  end
  local decoded, message = self.json.decode(config)
  if decoded == nil and message then
    return fail("config", "failed to parse config: " .. message)
  elseif config:find("^%s*{") then -- an empty one decodes to the same as an empty list
    return fail("config", "failed to parse config: a list expected, got an object")
  end
  return check_entries(decoded)
end

local function start(self, entry)
  local name = type(entry) == "table" and entry.name
  local slot = type(name) == "string" and self.by_name[name]
  if slot then
    return slot:start(entry.config)
  elseif self.options.strict then
    return fail("config", ("unknown push handler %s"):format(arguments.show(name)), { field = "name" })
  end
  return true
end

--- Starts the handlers that a configuration names, in its order. The first failure ends it and is returned
-- as it is; handlers that have been started stay so.
-- @tparam string|table config a list of `{ name =, config = }`, decoded or as JSON; the whole of it is read before
--   any handler is touched
-- @treturn true|nil
function methods:init(config)
  argument("init", 1, config, "string or table")
  local list, message, details = read_config(self, config)
  if not list then
    return nil, message, details
  end
  for _, entry in ipairs(list) do
    local ok
    ok, message, details = start(self, entry)
    if not ok then
      return nil, message, details
    end
  end
  return true
end

local function refused(slot, message, details, taken)
  local copy = { handler = slot.name, taken = taken }
  for name, value in pairs(details) do
    copy[name] = value
  end
  return fail(details.code, message, copy)
end

--- Gives a receipt to every handler that is ready. Never blocks.
-- @tparam table receipt see pusher.push.tinode.receipt; checked and copied
-- @treturn number|nil how many handlers took it; nil, message, details when the receipt is malformed, or a handler
--   refused or dropped it: the first one's words, with its name in `details.handler` and the count in `details.taken`
function methods:push(receipt)
  argument("push", 1, receipt, "table")
  local checked, message, details = receipt_room.check(receipt, self.options.clock())
  if not checked then
    return nil, message, details
  end
  local taken, refusal = 0, nil
  for _, slot in ipairs(self.slots) do
    if slot:is_ready() then
      local ok, why, more = slot:push(checked)
      if ok then
        taken = taken + 1
      else
        pcall(self.options.log, "warn", ("push handler %s: %s"):format(slot.name, why), { code = more.code })
        refusal = refusal or { slot, why, more }
      end
    end
  end
  if refusal then
    return refused(refusal[1], refusal[2], refusal[3], taken)
  end
  return taken
end

local function running(self)
  local slots = {}
  for _, slot in ipairs(self.slots) do
    if slot.state == "started" or slot:is_ready() then
      slots[#slots + 1] = slot
    end
  end
  return slots
end

-- Asks each that can be asked, with the time that is left or a slice of it. Returns those that are not done; the
-- first failure is remembered in `trouble`.
local function ask_each(self, slots, name, deadline, slice, trouble)
  local left = {}
  for _, slot in ipairs(slots) do
    if slot:has(name) then
      local rest = math.max(0, deadline - self.options.now())
      local result, message, details = slot:ask(name, math.min(rest, slice))
      if message then
        trouble[1] = trouble[1] or { message, details }
      elseif not result then
        left[#left + 1] = slot
      end
    end
  end
  return left
end

-- Lets the handlers work in turns until none of them has anything left to do.
local function drain(self, slots, deadline, trouble)
  local now, left = self.options.now, {}
  for _, slot in ipairs(slots) do
    left[#left + 1] = slot:has "step" and slot or nil
  end
  repeat
    left = ask_each(self, left, "step", deadline, #left > 1 and SLICE or math.huge, trouble)
  until #left == 0 or now() >= deadline
  return left
end

--- Lets the handlers work that need it; a program with a loop calls this in every turn.
-- @tparam[opt=0] number seconds how long all of them together may take
-- @treturn boolean|nil whether nothing is left to do; nil, message, details when a handler failed
function methods:step(seconds)
  local deadline, trouble = self.options.now() + (seconds or 0), {}
  local left = ask_each(self, running(self), "step", deadline, math.huge, trouble)
  if trouble[1] then
    return nil, trouble[1][1], trouble[1][2]
  end
  return #left == 0
end

--- Lets the handlers work until nothing is left to do.
-- @tparam[opt=60] number seconds how long at most
-- @treturn true|nil
function methods:flush(seconds)
  local deadline, trouble = self.options.now() + (seconds or 60), {}
  local left = drain(self, running(self), deadline, trouble)
  if trouble[1] then
    return nil, trouble[1][1], trouble[1][2]
  elseif #left > 0 then
    return fail("timeout", "there are still receipts to work off")
  end
  return true
end

--- Ends all handlers: they take nothing more, finish what they can in the time, and give up the rest.
-- Calling it again does nothing; `init` starts them anew.
-- @tparam[opt=5] number seconds how long all of them together may take
-- @treturn true|nil
function methods:stop(seconds)
  local deadline, trouble = self.options.now() + (seconds or DRAIN), {}
  local slots = running(self)
  for _, slot in ipairs(slots) do
    slot.state = "stopped"
  end
  drain(self, slots, deadline, trouble)
  ask_each(self, slots, "stop", deadline, math.huge, trouble)
  if trouble[1] then
    return nil, trouble[1][1], trouble[1][2]
  end
  return true
end

--- What each handler has been given.
-- @treturn table `{ [name] = { ready =, pushed =, dropped =, refused =, handler = its own stats } }`
function methods:stats()
  local stats = {}
  for _, slot in ipairs(self.slots) do
    stats[slot.name] = slot:stats()
  end
  return stats
end

local default

for name, method in pairs(methods) do
  push[name] = function(...)
    default = default or assert(push.new())
    return method(default, ...)
  end
end

return push
