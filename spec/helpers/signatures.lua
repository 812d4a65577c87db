--- Compares a parameter or a result of the reference (LDoc) with its type in types/ (LuaCATS).

local luacats = require("spec.helpers.luacats")

local signatures = {}

local OBJECTS = { client = "table", publisher = "table", pending = "table" } -- as the comments name them

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return table.concat(list, "|")
end

local function documented_kinds(text)
  local kinds = {}
  for name in text:gmatch("[^|]+") do
    kinds[OBJECTS[name] or name] = true
  end
  return kinds
end

-- As the comments know them: without "integer". `nil` is compared where the caller wants it.
local function typed_kinds(types, text)
  local kinds = luacats.kinds(types, (text:gsub("%?$", "|nil")))
  if kinds.integer then
    kinds.integer, kinds.number = nil, true
  end
  return kinds
end

-- The members that a comment names in "`{ first =, second = text, … }`": a set, and whether there may be others.
local function documented_members(text)
  local span = text:match("`(%b{})")
  if not span then
    return nil
  end
  span = span:match("^{ %[%w+%] = (%b{}) }$") or span -- names to such tables
  local names, inner = {}, span:sub(2, -2):gsub("%b{}", ""):gsub('%b""', "")
  for part in inner:gmatch("[^,]+") do
    local first = part:match("^%s*([%a_]+)")
    if first then
      names[first] = true
    end
    for name in part:gmatch(" or ([%a_]+) =") do
      names[name] = true
    end
  end
  return next(names) and names or nil, inner:find("…", 1, true) ~= nil
end

-- The members that a type has: a set, or nil when it has none of its own.
local function typed_members(types, text)
  local names = {}
  if text:find("^{ ") then
    for name in text:gmatch("([%w_]+): ") do
      names[name] = true
    end
    return names
  end
  for name in text:gmatch("pusher%.[%w_.]+") do
    if types.classes[name] then
      for field in pairs(luacats.fields(types, name)) do
        names[field] = true
      end
    end
  end
  return next(names) and names or nil
end

local function compare_members(documented, is_open, typed)
  for name in pairs(documented) do
    if not typed[name] then
      return ("has no member %s"):format(name)
    end
  end
  for name in pairs(is_open and {} or typed) do
    if not documented[name] then
      return ("has a member %s, which the comment does not have"):format(name)
    end
  end
end

--- What differs: a text, or nil.
-- @tparam table types as luacats.read returns
-- @tparam table documented `{ type =, text = }` of the reference
-- @tparam string typed
-- @tparam[opt] boolean with_nil whether nil is compared, too
function signatures.difference(types, documented, typed, with_nil)
  local expected, found = documented_kinds(documented.type), typed_kinds(types, typed)
  if not with_nil or expected.any then
    expected["nil"], found["nil"] = nil, nil
  end
  if sorted(expected) ~= sorted(found) then
    return ("is %s, not %s"):format(sorted(found), sorted(expected))
  end
  local is_list = documented.text:gsub("%b``", ""):find("%f[%w]list of ") ~= nil
  if is_list ~= (typed:gsub("fun%b()", ""):find("[]", 1, true) ~= nil) then
    return is_list and "is no list" or "is a list"
  end
  local members, is_open = nil, false
  if expected.table then
    members, is_open = documented_members(documented.text)
  end
  local own = typed_members(types, typed)
  if members and own then
    return compare_members(members, is_open, own)
  elseif members then
    return ("is %s, without members"):format(typed)
  end
end

return signatures
