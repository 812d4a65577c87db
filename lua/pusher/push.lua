--- Push plug-ins: handlers under names, configured together, each given every receipt.
--
-- A handler is a table with `push(self, receipt)` and, where it needs them, `init(self, config)`,
-- `is_ready(self)`, `step(self, seconds)`, `stop(self, seconds)` and `stats(self)`. It returns what all of
-- this library returns: something true, or nil, message, details. `push` must not block: it takes the
-- receipt, or fails with the code `full`.
--
-- `push.new()` makes a registry. A chat server has one, which whoever sends a message finds without being
-- handed it, as in the original; for such programs the module is a registry itself: `push.register(…)`.

local crypto = require "pusher.crypto"
local errors = require "pusher.errors"
local json_codec = require "pusher.json"
local options_room = require "pusher.options"
local receipt_room = require "pusher.push.receipt"
local validate = require "pusher.validate"

local push = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push" }

--- What a payload is about: a message, or a subscription.
push.ACT_MSG = "msg"
push.ACT_SUB = "sub"

local fail = errors.fail

local DRAIN = 5 -- seconds that stop gives the handlers

local OPTIONS = {
  strict = { "boolean", default = false },
  json = { "table" },
  log = { "function", default = function() end },
  clock = { "function", default = os.time },
  now = { "function", default = crypto.now },
}
push.OPTIONS = OPTIONS

--- Makes a registry.
-- @tparam[opt] table given `strict` (false): a configured name that nobody registered is an error; `json`,
--   `log` = function(level, message, fields), `clock` = function returning Unix seconds, `now`
-- @treturn table|nil registry; nil, message, details otherwise
function push.new(given)
  local options, message, details = options_room.copy(given or {}, OPTIONS)
  if not options then
    return nil, message, details
  end
  local json
  json, message, details = json_codec.new(options.json)
  if not json then
    return nil, message, details
  end
  return setmetatable({ options = options, json = json, slots = {}, order = {} }, metatable)
end

-- What a handler says; one that raises has failed, and one that says nothing has not.
local function ask(handler, name, ...)
  local ok, result, message, details = pcall(handler[name], handler, ...)
  if not ok then
    return fail("invalid", ("%s raised: %s"):format(name, tostring(result)), { retryable = false })
  elseif result == nil and message == nil then
    return true
  elseif not result and message ~= nil and (type(details) ~= "table" or errors.CODES[details.code] == nil) then
    return fail("invalid", tostring(message))
  end
  return result, message, details
end

--- Makes a handler known. Done once per name, at the program's start.
-- @tparam string name as the configuration has it
-- @tparam table handler see the head of this file; raises when it is none, or the name is taken
function methods:register(name, handler)
  validate.argument("register", 1, name, "string")
  if handler == nil then
    error("Register: push handler is nil", 2)
  elseif type(handler) ~= "table" or type(handler.push) ~= "function" then
    error(("bad argument #2 to 'register' (table with a function push expected, got %s)"):format(type(handler)), 2)
  elseif self.slots[name] then
    error("Register: called twice for handler " .. name, 2)
  end
  self.slots[name] = { handler = handler, name = name, pushed = 0, dropped = 0, refused = 0 }
  self.order[#self.order + 1] = self.slots[name]
end

local function read_config(self, config)
  if type(config) == "string" then
    local decoded, message = self.json.decode(config)
    if decoded == nil and message then
      return fail("config", "failed to parse config: " .. message)
    elseif config:find("^%s*{") then -- an empty one decodes to the same as an empty list
      return fail("config", "failed to parse config: a list expected, got an object")
    end
    config = decoded
  end
  if type(config) == "userdata" then
    return {} -- JSON's null
  elseif type(config) ~= "table" then
    return fail("config", "failed to parse config: a list expected, got " .. type(config))
  elseif not validate.list_length(config) then
    return fail("config", "failed to parse config: a list expected, got an object")
  end
  for _, entry in ipairs(config) do
    local name = type(entry) == "table" and entry.name
    if type(entry) ~= "table" and type(entry) ~= "userdata" then
      return fail("config", "failed to parse config: an entry must be { name =, config = }, got " .. type(entry))
    elseif name and type(name) ~= "string" and type(name) ~= "userdata" then
      return fail("config", "failed to parse config: name must be a string, got " .. type(name))
    end
  end
  return config
end

local function start(slot, config)
  if type(config) == "userdata" then
    config = {} -- JSON's null: nothing is configured, and that is no mistake
  end
  if slot.handler.init then
    local ok, message, details = ask(slot.handler, "init", config)
    if not ok then
      return fail(details and details.code or "config", message or "init refused", details)
    end
  end
  slot.state = "started"
  return true
end

--- Starts the handlers that a configuration names, in its order. The first failure ends it and is returned
-- as it is; handlers that have been started stay so.
-- @tparam string|table config a list of `{ name =, config = }`, decoded or as JSON; the whole of it is read before
--   any handler is touched
-- @treturn true|nil
function methods:init(config)
  validate.argument("init", 1, config, "string or table")
  local list, message, details = read_config(self, config)
  if not list then
    return nil, message, details
  end
  for _, entry in ipairs(list) do
    local name = type(entry) == "table" and entry.name
    local slot = type(name) == "string" and self.slots[name]
    local ok = true
    if slot then
      ok, message, details = start(slot, entry.config)
    elseif self.options.strict then
      ok, message, details = fail("config", ("unknown push handler %s"):format(validate.show(name)), { field = "name" })
    end
    if not ok then
      return nil, message, details
    end
  end
  return true
end

-- A handler with an `is_ready` knows best; any other is ready from its start to its stop.
local function is_ready(slot)
  if slot.state == "stopped" then
    return false
  elseif slot.handler.is_ready then
    return (ask(slot.handler, "is_ready")) == true
  end
  return slot.state == "started"
end

local function hand_over(self, slot, receipt)
  local ok, message, details = ask(slot.handler, "push", receipt)
  if ok then
    slot.pushed = slot.pushed + 1
    return true
  end
  message, details = message or "refused", details or { code = "invalid" }
  local count = details.code == "full" and "dropped" or "refused"
  slot[count] = slot[count] + 1
  pcall(self.options.log, "warn", ("push handler %s: %s"):format(slot.name, message), { code = details.code })
  return nil, message, details
end

--- Gives a receipt to every handler that is ready. Never blocks.
-- @tparam table receipt see pusher.push.receipt; checked and copied
-- @treturn number|nil how many handlers took it; nil, message, details when the receipt is malformed, or a handler
--   refused or dropped it: the first one's words, with its name in `details.handler` and the count in `details.taken`
function methods:push(receipt)
  validate.argument("push", 1, receipt, "table")
  local checked, message, details = receipt_room.check(receipt, self.options.clock())
  if not checked then
    return nil, message, details
  end
  local taken, refusal = 0, nil
  for _, slot in ipairs(self.order) do
    if is_ready(slot) then
      local ok, why, more = hand_over(self, slot, checked)
      if ok then
        taken = taken + 1
      else
        refusal = refusal or { slot.name, why, more }
      end
    end
  end
  if refusal then
    local copy = { handler = refusal[1], taken = taken }
    for name, value in pairs(refusal[3]) do
      copy[name] = value
    end
    return fail(copy.code, refusal[2], copy)
  end
  return taken
end

-- Every slot is asked, each with the time that is left; the first failure is returned.
local function ask_all(self, slots, name, seconds)
  local deadline = self.options.now() + seconds
  local all, problem, found = true, nil, nil
  for _, slot in ipairs(slots) do
    if slot.handler[name] then
      local result, message, details = ask(slot.handler, name, math.max(0, deadline - self.options.now()))
      if message and not problem then
        problem, found = message, details
      end
      all = all and result == true
    end
  end
  if problem then
    return nil, problem, found
  end
  return all
end

local function running(self)
  local slots = {}
  for _, slot in ipairs(self.order) do
    if slot.state == "started" or is_ready(slot) then
      slots[#slots + 1] = slot
    end
  end
  return slots
end

--- Lets the handlers work that need it; a program with a loop calls this in every turn.
-- @tparam[opt=0] number seconds how long all of them together may take
-- @treturn boolean|nil whether nothing is left to do
function methods:step(seconds)
  return ask_all(self, running(self), "step", seconds or 0)
end

--- Lets the handlers work until nothing is left to do.
-- @tparam[opt=60] number seconds how long at most
-- @treturn true|nil
function methods:flush(seconds)
  local done, message, details = self:step(seconds or 60)
  if done == false then
    return fail("timeout", "there are still receipts to work off")
  end
  return done, message, details
end

--- Ends all handlers: they take nothing more, finish what they can in the time, and give up the rest.
-- Calling it again does nothing; `init` starts them anew.
-- @tparam[opt=5] number seconds how long all of them together may take
-- @treturn true|nil
function methods:stop(seconds)
  local slots = running(self)
  for _, slot in ipairs(slots) do
    slot.state = "stopped"
  end
  return ask_all(self, slots, "stop", seconds or DRAIN)
end

--- What each handler has been given.
-- @treturn table `{ [name] = { ready =, pushed =, dropped =, refused =, handler = its own stats } }`
function methods:stats()
  local stats = {}
  for name, slot in pairs(self.slots) do
    local own = slot.handler.stats and ask(slot.handler, "stats")
    stats[name] = { ready = is_ready(slot), pushed = slot.pushed, dropped = slot.dropped, refused = slot.refused,
      handler = type(own) == "table" and own or nil }
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
