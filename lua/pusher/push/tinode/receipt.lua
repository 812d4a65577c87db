--- Receipts: what is pushed, and to whom. Pure.
--
-- A receipt is checked and copied once, before any handler sees it, so that
-- handlers may keep it while they work and the caller may change his table:
--   { to = { [uid] = { delivered =, devices = { id, … }, unread = } },
--     payload = { what =, silent =, topic =, ts =, from =, seq =, mime =, content =, want =, given = } }

local access_mode = require "pusher.push.tinode.access_mode"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local timestamp = require "pusher.push.tinode.timestamp"
local uid = require "pusher.push.tinode.uid"

local receipt = {}
local metatable = { __name = "pusher.push.tinode.receipt" } -- marks what has been checked

receipt.MAX_RECIPIENTS = 10000
receipt.MAX_DEVICES = 1000 -- of one recipient
receipt.MAX_CONTENT_BYTES = 256 * 1024
receipt.MAX_CONTENT_DEPTH = 32

local MAX_INTEGER = 2 ^ 53
local NODE_BYTES = 16 -- what a member of a table counts, so that empty ones are bounded, too

local fail = errors.fail
local is_null = json_codec.is_null

local function invalid(field, message)
  return fail("invalid", ("receipt: %s %s"):format(field, message), { field = field })
end

local function integer(value, field)
  if is_null(value) then
    return 0
  elseif type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value > MAX_INTEGER then
    return invalid(field, "must be a whole number from 0 to 2^53")
  end
  return math.floor(value)
end

local function text(value, field)
  if is_null(value) then
    return ""
  elseif type(value) ~= "string" then
    return invalid(field, "must be a string, got " .. type(value))
  elseif #value > receipt.MAX_CONTENT_BYTES then
    return fail("too_large", ("receipt: %s has %d bytes, at most %d are allowed"):format(
      field, #value, receipt.MAX_CONTENT_BYTES), { field = field })
  elseif not core.utf8_valid(value) then
    return invalid(field, "is not valid UTF-8")
  end
  return value
end

local function boolean(value, field)
  if is_null(value) then
    return false
  elseif type(value) ~= "boolean" then
    return invalid(field, "must be a boolean, got " .. type(value))
  end
  return value
end

local function mode(value)
  if is_null(value) then
    return 0
  end
  return access_mode.check(value)
end

local function device_ids(list, field)
  if is_null(list) then
    return {}
  elseif type(list) ~= "table" or #list > receipt.MAX_DEVICES then
    return invalid(field, ("must be a list of at most %d device ids"):format(receipt.MAX_DEVICES))
  end
  local copy = {}
  for index = 1, #list do
    if type(list[index]) ~= "string" then
      return invalid(field, "must be a list of strings")
    end
    copy[index] = list[index]
  end
  return copy
end

local RECIPIENT = { { "delivered", integer }, { "devices", device_ids }, { "unread", integer } }

local PAYLOAD = {
  { "what", text }, { "silent", boolean }, { "topic", text }, { "from", text }, { "seq", integer },
  { "mime", text }, { "want", mode }, { "given", mode },
}

local function read_members(given, members, prefix)
  local copy = {}
  for _, member in ipairs(members) do
    local name, check = member[1], member[2]
    local value, message, details = check(given[name], prefix .. name)
    if value == nil then
      return nil, message, details
    end
    copy[name] = value
  end
  return copy
end

-- The member of `content`: any JSON value within the bounds, copied.
local function copy_content(value, budget, depth)
  local kind = type(value)
  if is_null(value) then
    return nil
  elseif kind == "string" then
    budget.left = budget.left - #value
    budget.ok = budget.ok and core.utf8_valid(value)
    return value
  elseif kind == "number" then
    budget.ok = budget.ok and value - value == 0
    return value
  elseif kind ~= "table" then
    budget.ok = budget.ok and kind == "boolean"
    return value
  end
  local copy = {}
  if depth > receipt.MAX_CONTENT_DEPTH then
    budget.left = -1
  end
  for key, member in pairs(value) do
    budget.left = budget.left - NODE_BYTES
    budget.ok = budget.ok and (type(key) == "string" or type(key) == "number")
    if budget.left < 0 or not budget.ok then
      return copy
    end
    copy[copy_content(key, budget, depth)] = copy_content(member, budget, depth + 1)
  end
  return copy
end

local function content(value)
  local budget = { left = receipt.MAX_CONTENT_BYTES, ok = true }
  local copy = copy_content(value, budget, 1)
  if budget.left < 0 then
    return fail("too_large", ("receipt: content has more than %d bytes or %d levels"):format(
      receipt.MAX_CONTENT_BYTES, receipt.MAX_CONTENT_DEPTH), { field = "payload.content" })
  elseif not budget.ok then
    return invalid("payload.content", "must be text in UTF-8 or what JSON can say")
  end
  return { copy }
end

local function read_payload(given, now)
  if type(given) ~= "table" then
    return invalid("payload", "must be a table, got " .. type(given))
  end
  local payload, message, details = read_members(given, PAYLOAD, "payload.")
  if not payload then
    return nil, message, details
  elseif payload.what == "" then
    return invalid("payload.what", 'is missing; "msg" or "sub" expected')
  end
  payload.ts, message, details = timestamp.format(is_null(given.ts) and now or given.ts)
  if not payload.ts then
    return nil, message, details
  end
  local boxed
  boxed, message, details = content(given.content)
  if not boxed then
    return nil, message, details
  end
  payload.content = boxed[1]
  return payload
end

local function read_recipients(given)
  if type(given) ~= "table" then
    return invalid("to", "must be a table from user id to recipient, got " .. type(given))
  end
  local to, count = {}, 0
  for key, recipient in pairs(given) do
    local id, message, details = uid.canonical(key)
    if not id then
      return nil, "receipt: to: " .. message, details
    end
    count = count + 1
    if count > receipt.MAX_RECIPIENTS then
      return fail("too_large", ("receipt: more than %d recipients"):format(receipt.MAX_RECIPIENTS),
        { field = "to" })
    elseif type(recipient) ~= "table" then
      return invalid("to", "must have a table for each user id, got " .. type(recipient))
    end
    to[id], message, details = read_members(recipient, RECIPIENT, "to.")
    if not to[id] then
      return nil, message, details
    end
  end
  return to
end

--- Checks and copies a receipt. One that has been checked is returned as it is.
-- @tparam table given see the head of this file; absent members are 0, "", false or none;
--   `want` and `given` may be letters or bits, `ts` RFC 3339 text or Unix seconds
-- @tparam number now Unix seconds, for a payload without `ts`
-- @treturn table|nil the copy: `want` and `given` as bits, `ts` as text; nil, message, details otherwise
function receipt.check(given, now)
  if getmetatable(given) == metatable then
    return given
  end
  local to, message, details = read_recipients(given.to)
  if not to then
    return nil, message, details
  end
  local payload
  payload, message, details = read_payload(given.payload, now)
  if not payload then
    return nil, message, details
  end
  return setmetatable({ to = to, payload = payload }, metatable)
end

--- The user ids of a receipt, smallest number first.
-- @tparam table checked
-- @treturn table list of strings
function receipt.uids(checked)
  local list, big_endian = {}, {}
  for id in pairs(checked.to) do
    list[#list + 1] = id
    big_endian[id] = uid.decode(id):reverse()
  end
  table.sort(list, function(a, b)
    return big_endian[a] < big_endian[b]
  end)
  return list
end

local function encode_devices(devices, json)
  local list = {}
  for index, id in ipairs(devices) do
    list[index] = json.quote(id)
  end
  return #list > 0 and '"devices":[' .. table.concat(list, ",") .. "]," or ""
end

local function encode_mode(name, bits)
  return bits ~= 0 and (',"%s":"%s"'):format(name, access_mode.format(bits)) or ""
end

--- Writes a receipt as JSON, members in the chat server's order, user ids as text.
-- @tparam table checked
-- @tparam table json as json.new returns
-- @treturn string|nil one line; nil, message, details otherwise
function receipt.encode(checked, json)
  local payload, to = checked.payload, {}
  for index, id in ipairs(receipt.uids(checked)) do
    local recipient = checked.to[id]
    to[index] = ('"%s":{"delivered":%.0f,%s"unread":%.0f}'):format(
      id, recipient.delivered, encode_devices(recipient.devices, json), recipient.unread)
  end
  local content_member = ""
  if payload.content ~= nil then
    local encoded, message, details = json.encode(payload.content)
    if not encoded then
      return nil, message, details
    end
    content_member = ',"content":' .. encoded
  end
  return table.concat {
    '{"to":{', table.concat(to, ","), '},"payload":{"what":', json.quote(payload.what),
    ',"silent":', tostring(payload.silent), ',"topic":', json.quote(payload.topic),
    ',"ts":', json.quote(payload.ts), ',"from":', json.quote(payload.from),
    (',"seq":%.0f'):format(payload.seq), ',"mime":', json.quote(payload.mime), content_member,
    encode_mode("want", payload.want), encode_mode("given", payload.given), "}}",
  }
end

--- Reads a receipt from JSON and checks it.
-- @tparam string line
-- @tparam table json as json.new returns
-- @tparam number now Unix seconds, for a payload without `ts`
-- @treturn table|nil as `check`; nil, message, details otherwise
function receipt.decode(line, json, now)
  local given, message, details = json.decode(line)
  if given == nil and message then
    return nil, message, details
  elseif type(given) ~= "table" then
    return invalid("text", "must be a JSON object")
  end
  return receipt.check(given, now)
end

return receipt
