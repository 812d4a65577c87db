--- Compares values that the library has made with their class in types/.

local luacats = require("spec.helpers.luacats")

local typed_values = {}

local function kind_of(value)
  if type(value) == "boolean" then
    return tostring(value)
  end
  return type(value) == "number" and value % 1 == 0 and "integer" or type(value)
end

-- What is seen of one class: `{ count = of its values, fields = { [name] = { count =, kinds = set } } }`.
local function seen_of(seen, class)
  seen[class] = seen[class] or { count = 0, fields = {} }
  return seen[class]
end

local look_at_class

-- Looks at the values inside a value, if its type is of classes.
local function look_inside(types, seen, text, value)
  local item = text:match("^(.*)%[%]$") or text:match("^table<%w+, (.*)>$")
  if types.classes[text] then
    look_at_class(types, seen, text, value)
  elseif item and type(value) == "table" then
    for _, inner in pairs(value) do
      look_inside(types, seen, item, inner)
    end
  end
end

function look_at_class(types, seen, class, value)
  local found, fields = seen_of(seen, class), luacats.fields(types, class)
  found.count = found.count + 1
  for name, member in pairs(value) do
    local field = found.fields[name] or { count = 0, kinds = {}, strings = {} }
    found.fields[name] = field
    field.count, field.kinds[kind_of(member)] = field.count + 1, true
    field.strings[type(member) == "string" and member or ""] = true
    if fields[name] then
      look_inside(types, seen, fields[name].type, member)
    end
  end
end

local WIDER = { integer = "number", ["true"] = "boolean", ["false"] = "boolean" }

local function check_kinds(types, text, kinds)
  local allowed, count = luacats.kinds(types, text), 0
  for kind in pairs(kinds) do
    count = count + 1
    if not (allowed[kind] or allowed.any or allowed[WIDER[kind]]) then
      return "may be " .. kind
    end
  end
  for kind in pairs(allowed) do
    local is_seen = kinds[kind] or kind == "boolean" and (kinds["true"] or kinds["false"]) or kind == "any" and count > 1
    if not is_seen then
      return "is never " .. kind
    end
  end
end

local function check_strings(types, text, strings)
  local allowed = luacats.strings(types, text)
  for value in pairs(next(allowed) and strings or {}) do
    if value ~= "" and not allowed[value] then
      return "may be " .. value
    end
  end
end

local function check_field(types, field, found, count)
  if not found then
    return "is never there"
  elseif (found.count < count) ~= field.optional then
    return field.optional and "is always there" or "may be nil"
  end
  return check_kinds(types, field.type, found.kinds) or check_strings(types, field.type, found.strings)
end

--- What is wrong in a class, and in those of its fields: a sorted list of texts. All that a class allows must have been
-- seen: each optional field with a value and nil, each kind of its values, and for `any` two kinds.
-- @tparam table types as luacats.read returns
-- @tparam string class
-- @tparam table values
function typed_values.faults(types, class, values)
  local seen, wrong = {}, {}
  for _, value in ipairs(values) do
    look_at_class(types, seen, class, value)
  end
  for name, found in pairs(seen) do
    local fields = luacats.fields(types, name)
    for field, typed in pairs(fields) do
      local message = check_field(types, typed, found.fields[field], found.count)
      wrong[#wrong + 1] = message and ("%s.%s %s"):format(name, field, message)
    end
    for field in pairs(found.fields) do
      wrong[#wrong + 1] = not fields[field] and ("%s.%s is not in types/"):format(name, field) or nil
    end
  end
  table.sort(wrong)
  return wrong
end

return typed_values
