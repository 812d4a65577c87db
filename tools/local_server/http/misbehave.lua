--- Decides which requests get a fault: by path (`/_misbehave/MODE?options`), by armed rules, or at random with a seed.

local cjson = require "cjson"
local faults = require "tools.local_server.http.faults"

local misbehave = {}
local methods = {}
local metatable = { __index = methods }

local PREFIX = "/_misbehave/"

--- Makes a chooser without rules.
-- @tparam table record `add_fault(mode)`, `landed`
function misbehave.new(record)
  return setmetatable({ record = record, rules = {} }, metatable)
end

local function check_mode(mode)
  assert(type(mode) == "table" and faults.modes[mode.mode], "unknown mode " .. tostring(mode.mode))
end

-- Park and Miller's generator: exact in doubles, the same on every machine.
local function new_random(seed)
  local state = (seed or 1) % 2147483646 + 1
  return function()
    state = state * 16807 % 2147483647
    return state / 2147483647
  end
end

--- Arms a rule: `mode` and its options (see faults.lua), or `modes`, a list of such tables or names, one of which is
-- drawn each time. Further: `path` (a prefix of the target), `method`, `skip` (requests to let pass first), `times`
-- (requests to affect, default: all), `probability` (default 1), `seed`.
function methods:arm(rule)
  for index, mode in ipairs(rule.modes or {}) do
    rule.modes[index] = type(mode) == "string" and { mode = mode } or mode
    check_mode(rule.modes[index])
  end
  if not rule.modes then
    check_mode(rule)
  end
  rule.random = new_random(rule.seed)
  rule.skip = rule.skip or 0
  self.rules[#self.rules + 1] = rule
end

--- Removes all rules.
function methods:clear()
  self.rules = {}
end

local function applies(rule, exchange)
  local path = rule.path or ""
  if exchange.target:sub(1, #path) ~= path or (rule.method and rule.method ~= exchange.method)
      or (rule.listener and rule.listener ~= exchange.listener) then
    return false
  elseif rule.skip > 0 then
    rule.skip = rule.skip - 1
    return false
  end
  return rule.random() < (rule.probability or 1)
end

local function choose(self, exchange)
  for index, rule in ipairs(self.rules) do
    if applies(rule, exchange) then
      if rule.times then
        rule.times = rule.times - 1
        if rule.times <= 0 then
          table.remove(self.rules, index)
        end
      end
      return rule.modes and rule.modes[math.floor(rule.random() * #rule.modes) + 1] or rule
    end
  end
end

-- The response of the misbehaving paths: the request as the server understood it.
local function echo(exchange)
  exchange:read_body()
  local headers = {}
  for name, value in exchange.headers:each() do
    headers[#headers + 1] = { name, value }
  end
  return {
    status = 200,
    type = "application/json",
    body = cjson.encode {
      method = exchange.method,
      target = exchange.target,
      headers = headers,
      body = exchange.body,
      connection = exchange.connection,
      request = exchange.number,
      listener = exchange.listener,
    },
  }
end

local function query_options(query)
  local options = {}
  for name, value in query:gmatch("([^&=]+)=?([^&]*)") do
    options[name] = value:gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
  end
  return options
end

local function run(self, mode, options, exchange, process)
  self.record:add_fault(mode)
  faults.modes[mode](exchange, options, process)
end

-- A path below PREFIX.
local function handle_path(self, exchange, process)
  local mode = exchange.path:sub(#PREFIX + 1)
  if mode == "landed" then
    self.record.landed = self.record.landed + 1
  elseif faults.modes[mode] and mode ~= "none" then
    return run(self, mode, query_options(exchange.query), exchange, process)
  end
  exchange:respond(process())
end

--- Responds to one request, with or without a fault.
-- @tparam table exchange
-- @tparam function handler function(exchange) -> response
function methods:handle(exchange, handler)
  local on_path = exchange.path:sub(1, #PREFIX) == PREFIX
  local function process()
    local reply = (on_path and echo or handler)(exchange)
    exchange.status = reply.status
    return reply
  end
  local chosen = self.rules[1] and choose(self, exchange)
  if chosen then
    run(self, chosen.mode, chosen, exchange, process)
  elseif on_path then
    handle_path(self, exchange, process)
  else
    exchange:respond(process())
  end
end

return misbehave
