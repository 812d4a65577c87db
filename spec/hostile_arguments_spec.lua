-- docs/channels.md's rule on arguments, for all public calls times values that nobody should pass: a wrong type raises at the
-- caller's line; all else returns a result, or nil, message, details. No call hangs, none changes what it was given,
-- none looks at a metatable of a plain table, none shows a secret.

local errors = require "pusher.base.errors"
local hostile = require "spec.helpers.hostile_values"
local calls = require "spec.helpers.hostile_calls"
local interpreted = require "spec.helpers.interpreted"
local reference = require "spec.helpers.reference"
local time_scale = require "spec.helpers.time_scale"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local INSTRUCTIONS, TICKS = 1000000, 200 -- a call that needs more of them hangs
local SECONDS = 2 * time_scale -- CPU time of one call, of which C may take a part

local MAX_FAULTS = 50 -- of one argument; more say nothing new

local HANG = "HANG: "

-- Calls f, and ends it when it hangs. Returns the line of the call, and what pcall returns.
local function invoke(f, arguments, count)
  local ticks, line = 0, nil
  debug.sethook(function()
    ticks = ticks + 1
    if ticks > TICKS then
      debug.sethook()
      error(HANG .. debug.traceback("", 2), 0)
    end
  end, "", INSTRUCTIONS)
  local start = os.clock()
  local ok, result, message, details = pcall(function()
    line = debug.getinfo(1, "l").currentline + 1
    local result, message, details = f(unpack(arguments, 1, count)) -- luacheck: ignore 431
    return result, message, details
  end)
  debug.sethook()
  local seconds = os.clock() - start
  if seconds > SECONDS then
    ok, result = false, HANG .. ("%.1f seconds of CPU"):format(seconds)
  end
  return ("hostile_arguments_spec.lua:%d:"):format(line or 0), ok, result, message, details
end

local function is_of(types, value)
  return types == "any" or types:find(type(value), 1, true) ~= nil
end

local function contains_secret(value, depth)
  if type(value) == "string" then
    for _, secret in ipairs(calls.SECRETS) do
      if value:find(secret, 1, true) then
        return true
      end
    end
  elseif type(value) == "table" and depth < 3 then
    for key, member in next, value do
      if contains_secret(key, depth + 1) or contains_secret(member, depth + 1) then
        return true
      end
    end
  end
  return false
end

-- What is wrong with a failure: nil, message, details. A call may also return nil alone.
local function failure_fault(call, message, details)
  if message == nil or call.plain then
    return nil
  elseif type(message) ~= "string" then
    return "the message is a " .. type(message)
  elseif #message > 2000 then
    return ("the message has %d bytes"):format(#message)
  elseif message:find("%c") then
    return "the message has a control character"
  elseif type(details) ~= "table" or errors.CODES[details.code] == nil then
    return "no details with a code"
  elseif not reference.has_code(call.name, details.code) then
    return details.code .. " is not among the codes in its comment"
  end
end

-- What is wrong with the outcome of a call.
local function fault(call, wrong_type, place, ok, result, message, details)
  if not ok then
    local text = tostring(result)
    if text:find("raised by a function", 1, true) then
      return nil -- the caller's own function did
    elseif text:find(place, 1, true) and (wrong_type or call.raises) then
      return contains_secret(text, 0) and "the error shows a secret" or nil
    end
    return "raises: " .. text:sub(1, 300)
  elseif wrong_type then
    return "accepts a wrong type"
  elseif result == nil then
    return failure_fault(call, message, details) or (contains_secret({ message, details }, 0) and "shows a secret")
  end
end

-- Ends what a call has started.
local function release(call, arguments, result)
  if call.ends then
    arguments[1][call.ends](arguments[1])
  elseif type(result) == "table" and rawget(result, "handle") ~= nil then
    result:close()
  end
end

local function try(call, path, position, change)
  local f, arguments = call.open()
  local count = #call.types + (call.skip or 0)
  local wrong_type = change(arguments)
  local copies = {}
  for index = (call.skip or 0) + 1, count do
    copies[index] = hostile.copy(arguments[index])
  end
  hostile.touched = 0
  local place, ok, result, message, details = invoke(f, arguments, count)
  local found = fault(call, wrong_type, place, ok, result, message, details)
  if not found and hostile.touched > 0 and not (call.loose or {})[path] then
    found = ("metamethods were called %d times"):format(hostile.touched)
  end
  for index = (call.skip or 0) + 1, count do
    if not found and position == index and not hostile.unchanged(arguments[index], copies[index]) then
      found = "an argument was changed"
    end
  end
  release(call, arguments, ok and result)
  return found
end

-- All places in a value: the value itself and, down to `depth` levels, its members. f(path, replace), where
-- replace(root, value) puts a value there.
local function each_place(template, path, replace, depth, f)
  f(path, replace)
  if type(template) ~= "table" or depth == 0 or getmetatable(template) ~= nil then
    return
  end
  for key, member in pairs(template) do
    each_place(member, path .. "." .. tostring(key), function(root, value)
      local holder = replace(root)
      if type(holder) == "table" then
        local old = holder[key]
        if value ~= nil then
          holder[key] = value[1]
        end
        return old
      end
    end, depth - 1, f)
  end
end

-- Runs the call with every value in every place of one argument.
local function faults_of(call, position)
  local faults = {}
  local index = position + (call.skip or 0)
  local _, template = call.open()
  each_place(template[index], tostring(position), function(arguments, value)
    local old = arguments[index]
    if value then
      arguments[index] = value[1]
    end
    return old
  end, 4, function(path, replace)
    for _, entry in ipairs(hostile.LIST) do
      local name, make = entry[1], entry[2]
      local found = try(call, path, index, function(arguments)
        local value = make()
        replace(arguments, { value })
        return not is_of(call.types[position], arguments[index])
      end)
      if found then
        faults[#faults + 1] = ("argument %s = %s: %s"):format(path, name, found)
        assert(#faults < MAX_FAULTS, table.concat(faults, "\n"))
      end
    end
  end)
  return faults
end

describe("hostile arguments:", function()
  local real_ngx = rawget(_G, "ngx")

  interpreted(setup, teardown)

  after_each(function()
    rawset(_G, "ngx", real_ngx)
  end)

  it("cover all public calls", function()
    assert.same({}, calls.missing())
  end)

  for _, call in ipairs(calls) do
    it(call.name .. " works, and refuses what it should", function()
      local f, valid = call.open()
      local result, message, details = f(unpack(valid, 1, #call.types + (call.skip or 0)))
      assert.equal(call.fails, result == nil and not call.code and message or nil)
      assert.equal(call.code, result == nil and call.code and details.code or nil)
      assert.equal(call.result or result, result)
      release(call, valid, result)
      local faults = {}
      for position = 1, #call.types do
        for _, text in ipairs(faults_of(call, position)) do
          faults[#faults + 1] = text
        end
      end
      assert.equal("", table.concat(faults, "\n"))
    end)
  end
end)
