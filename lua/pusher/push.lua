--- Push plug-ins: handlers under names, configured together, each given every receipt.
--
-- `push.new()` makes a registry. The module is one, too (`push.register(…)`), for programs that need only one, as in
-- tinode. A handler is a table with `push(self, receipt)` and, where it needs them, `init(self, config)`,
-- `is_ready(self)`, `step(self, seconds)`, `stop(self, seconds)` and `stats(self)`. A method fails by returning nil,
-- message, details, or by raising. `push` must not block: it accepts the receipt, or fails with code `full`. `step`
-- returns how many items are not settled; 0 or nothing when the handler is done.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local configs = require "pusher.push.config"
local driver = require "pusher.driver.choose"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local options = require "pusher.base.options"
local receipts = require "pusher.push.tinode.receipt"
local slots = require "pusher.push.slot"
local sources = require "pusher.base.sources"

local push = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push" }

--- What a payload is about: a message, or a subscription.
push.ACT_MSG = "msg"
push.ACT_SUB = "sub"

local fail, argument = errors.fail, arguments.check

local FLUSH_SECONDS = 60
local STOP_SECONDS = 5
local SLICE = 0.05 -- seconds that a handler may take while others wait for their turn

local OPTIONS = {
  strict = { "boolean", default = false },
  json = json_codec.OPTION,
  log = { "function", default = driver.log_errors },
  clock = sources.CLOCK,
  now = sources.NOW,
}

--- Makes a registry.
-- @tparam[opt] table given `strict` (false): a configured name that nobody registered is an error; `json`, `log` =
--   function(level, message, fields), `clock` = function returning Unix seconds, `now`
-- @treturn table|nil registry
-- @fails config
function push.new(given)
  argument("new", 1, given, "table or nil")
  local checked, message, details = options.check(given or {}, OPTIONS)
  if not checked then
    return nil, message, details
  end
  return setmetatable({ options = checked, callbacks = callback.new(checked.log), by_name = {}, slots = {} }, metatable)
end

--- Makes a handler known. Done once per name, at the program's start.
-- @tparam string name as the configuration has it
-- @tparam table handler see the top of this file; raises when it is none, or when the name is in use
-- @source tinode: push.Register
function methods:register(name, handler)
  argument("register", 1, name, "string")
  if handler == nil then
    arguments.raise("Register: push handler is nil")
  elseif type(handler) ~= "table" or not arguments.method(handler, "push") then
    arguments.refuse("register", 2, "table with a function push", type(handler))
  elseif self.by_name[name] then
    arguments.raise("Register: called twice for handler " .. name)
  end
  self.by_name[name] = slots.new(name, handler, self.callbacks)
  self.slots[#self.slots + 1] = self.by_name[name]
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

--- Starts the handlers that a configuration names, in its order. The first failure ends it and is returned; handlers
-- that have been started stay started.
-- @tparam string|table config a list of `{ name =, config = }`, decoded or as JSON; all of it is read before any
--   handler is touched
-- @treturn true|nil true
-- @fails config, closed, and those of a handler's `init`
-- @source tinode: push.Init
function methods:init(config)
  argument("init", 1, config, "string or table")
  if self.stopping then
    return fail("closed", "the registry is being stopped; init may be called when stop has returned")
  end
  local list, message, details = configs.entries(config, self.options.json)
  local ok = list
  for _, entry in ipairs(list or {}) do
    ok, message, details = start(self, entry)
    if not ok then
      break
    end
  end
  return ok and true, message, details
end

local function outcome(value, failure)
  if failure then
    return nil, failure.message, failure.details
  end
  return value
end

--- Gives a receipt to every handler that is ready. Never blocks.
-- @tparam table receipt see pusher.push.tinode.receipt; checked and copied
-- @treturn number|nil how many handlers accepted it
-- @fails invalid, too_large for a malformed receipt; and those of a handler's `push`: the first one's failure, with its
--   name in `details.handler` and the count in `details.accepted`
-- @source tinode: push.Push
function methods:push(receipt)
  argument("push", 1, receipt, "table")
  local checked, message, details = receipts.check(receipt, self.options.clock())
  if not checked then
    return nil, message, details
  end
  local accepted, failure = 0, nil
  for _, slot in ipairs(self.slots) do
    if slot:is_ready() then
      local ok
      ok, message, details = slot:push(checked)
      if ok then
        accepted = accepted + 1
      else
        callback.log(self.options.log, "warn", ("push handler %s: %s"):format(slot.name, message),
          { code = details.code })
        failure = failure or { message = message, details = details }
      end
    end
  end
  if failure then
    failure.details.accepted = accepted
  end
  return outcome(accepted, failure)
end

-- The slots whose handler has a method and that are in a state: `is_running` or `is_unfinished`.
local function slots_with(self, method, state)
  local found = {}
  for _, slot in ipairs(self.slots) do
    if slot:has(method) and slot[state](slot) then
      found[#found + 1] = slot
    end
  end
  return found
end

-- Lets each work for the time that is left or a slice of it. Returns those that are not done, how many items these have
-- not settled, and the first failure.
local function step_each(self, workers, deadline, slice)
  local left, unsettled, failure = {}, 0, nil
  for _, slot in ipairs(workers) do
    local rest = math.max(0, deadline - self.options.now())
    local count, message, details = slot:step(math.min(rest, slice))
    if not count then
      failure = failure or { message = message, details = details }
    elseif count > 0 then
      left[#left + 1], unsettled = slot, unsettled + count
    end
  end
  return left, unsettled, failure
end

-- Lets the handlers work in turns until none of them has anything left to do.
local function drain(self, workers, deadline)
  local left, first = workers, nil
  local unsettled, failure
  repeat
    left, unsettled, failure = step_each(self, left, deadline, #left > 1 and SLICE or math.huge)
    first = first or failure
  until #left == 0 or self.options.now() >= deadline
  return unsettled, first
end

--- Lets the handlers work that need it; a program with a loop calls this in every turn.
-- @tparam[opt=0] number seconds the longest that all of them together may take
-- @treturn number|nil how many items are not settled, 0 when nothing is left
-- @fails invalid, and those of a handler's `step`
function methods:step(seconds)
  argument("step", 1, seconds, "number or nil")
  local limit, message, details = arguments.seconds("step", seconds, 0)
  if not limit then
    return nil, message, details
  end
  local workers = slots_with(self, "step", "is_running")
  local _, unsettled, failure = step_each(self, workers, self.options.now() + limit, math.huge)
  return outcome(unsettled, failure)
end

--- Lets the handlers work until nothing is left.
-- @tparam[opt=60] number seconds the longest it may take
-- @treturn true|nil true
-- @fails timeout, invalid, and those of a handler's `step`
function methods:flush(seconds)
  argument("flush", 1, seconds, "number or nil")
  local limit, message, details = arguments.seconds("flush", seconds, FLUSH_SECONDS)
  if not limit then
    return nil, message, details
  end
  local unsettled, failure = drain(self, slots_with(self, "step", "is_running"), self.options.now() + limit)
  if unsettled > 0 and not failure then
    return fail("timeout", ("%d items are not settled yet"):format(unsettled))
  end
  return outcome(true, failure)
end

--- Stops all handlers: they accept nothing more, finish what they can in the time, and give up the rest.
-- Calling it again calls what failed to stop, and nothing else; `init` starts them anew. A handler that fails to stop
-- and still says that it `is_ready` has refused: it keeps running.
-- @tparam[opt=5] number seconds the longest that all of them together may take
-- @treturn true|nil true
-- @fails invalid, and those of a handler's `step` and `stop`
-- @source tinode: push.Stop
function methods:stop(seconds)
  argument("stop", 1, seconds, "number or nil")
  local limit, message, details = arguments.seconds("stop", seconds, STOP_SECONDS)
  if not limit then
    return nil, message, details
  end
  local deadline = self.options.now() + limit
  local workers, stoppers = slots_with(self, "step", "is_running"), slots_with(self, "stop", "is_unfinished")
  for _, slot in ipairs(self.slots) do
    slot:stop()
  end
  local outermost = not self.stopping
  self.stopping = true -- until all is done: a callback may call init
  local ran, raised, failure = pcall(drain, self, workers, deadline)
  for _, slot in ipairs(stoppers) do
    local known, now = pcall(self.options.now)
    local _
    _, message, details = slot:finish(known and math.max(0, deadline - now) or 0)
    failure = failure or message and { message = message, details = details }
  end
  self.stopping = not outermost
  if not ran then -- the clock did; all the same the handlers are stopped
    error(raised, 0)
  end
  return outcome(true, failure)
end

--- Counts what each handler has been given.
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
