--- Values that nobody should pass, made afresh each time; and what a specification needs to judge a call that got one.

local values = {}

local RAISED = "raised by a metamethod"

values.BIG_BYTES = 10 * 1024 * 1024

local BIG = ("x"):rep(values.BIG_BYTES)

--- How often a metamethod of one of the values was called.
values.touched = 0

local EVENTS = { "__index", "__newindex", "__len", "__pairs", "__ipairs", "__eq", "__lt", "__le", "__tostring", "__concat",
  "__call", "__unm", "__mod" }

-- A table each of whose metamethods counts, and then does what `f` does.
local function with_metamethods(object, f)
  local metatable = {}
  for _, event in ipairs(EVENTS) do
    metatable[event] = function(...)
      values.touched = values.touched + 1
      return f(event, ...)
    end
  end
  return setmetatable(object, metatable)
end

local function raising()
  return with_metamethods({}, function()
    error(RAISED)
  end)
end

-- Shows another value at each look.
local function flipping()
  local turn = 0
  return with_metamethods({}, function(event)
    turn = turn + 1
    if event == "__pairs" or event == "__ipairs" then
      return function(_, key) return (key or 0) + 1, "x" end -- without an end
    elseif event == "__len" then
      return 1
    end
    return turn % 2 == 1 and "private-a" or "#other\r\n"
  end)
end

local function cyclic()
  local object = {}
  object.self, object[1] = object, object
  return object
end

--- What each value is called, its maker, and whether it is an object with metamethods.
values.LIST = {
  { "nil", function() return nil end },
  { "true", function() return true end },
  { "false", function() return false end },
  { "0", function() return 0 end },
  { "-1", function() return -1 end },
  { "0.5", function() return 0.5 end },
  { "2^53+1", function() return math.tointeger and math.tointeger(2 ^ 53) + 1 or 2 ^ 53 + 2 end },
  { "1e308", function() return 1e308 end },
  { "NaN", function() return 0 / 0 end },
  { "inf", function() return math.huge end },
  { "-inf", function() return -math.huge end },
  { "empty string", function() return "" end },
  { "digits", function() return "5" end },
  { "zero byte", function() return "\0" end },
  { "line break", function() return "a\nb" end },
  { "not UTF-8", function() return "\255\254\192\128" end },
  { "format", function() return "%s%d%n%%" end },
  { "dot", function() return "." end },
  { "dots", function() return ".." end },
  { "10 MB", function() return BIG end },
  { "{}", function() return {} end },
  { "list of NaN", function() return { 0 / 0 } end },
  { "list with a hole", function() return { 1, nil, 3 } end },
  { "list and map", function() return { 1, a = 2 } end },
  { "cyclic", cyclic },
  { "raising", raising },
  { "flipping", flipping },
  { "raising key", function() return { [raising()] = 1 } end },
  { "userdata", function() return io.stdout end },
  { "function", function() return function() end end },
  { "raising function", function() return function() error("raised by a function") end end },
  { "coroutine", function() return coroutine.create(function() end) end },
}

local has_ffi, ffi = pcall(require, "ffi")
if has_ffi then
  values.LIST[#values.LIST + 1] = { "cdata", function() return ffi.new("uint64_t", 5) end }
  values.LIST[#values.LIST + 1] = { "cdata array", function() return ffi.new("char[4]") end }
end

--- A copy to compare with: of tables all levels, whatever their metatables say.
function values.copy(value, seen)
  if type(value) ~= "table" then
    return value
  end
  seen = seen or {}
  if not seen[value] then
    local copy = {}
    seen[value] = copy
    for key, member in next, value do
      copy[key] = values.copy(member, seen) -- a key is compared by its identity
    end
  end
  return seen[value]
end

--- Whether a value still has the members of its copy.
function values.unchanged(value, copy, seen)
  if type(value) ~= "table" or type(copy) ~= "table" then
    return rawequal(value, copy) or (value ~= value and copy ~= copy)
  end
  seen = seen or {}
  if seen[value] then
    return true
  end
  seen[value] = true
  for key, member in next, value do
    if not values.unchanged(member, rawget(copy, key), seen) then
      return false
    end
  end
  for key in next, copy do
    if rawget(value, key) == nil then
      return false
    end
  end
  return true
end

return values
