--- Receipts, the push notifications of the tinode chat server: what is pushed, and to whom. Pure.
--
-- A receipt is checked and copied once, before any handler sees it, so that handlers may keep it while they work and
-- the caller may change the table:
--   { to = { [uid] = { delivered =, devices = { id, … }, unread = } },
--     payload = { what =, silent =, topic =, ts =, from =, seq =, mime =, content =, want =, given = } }

local access_mode = require "pusher.push.tinode.access_mode"
local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
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
local NODE_BYTES = 16 -- what each member of a table counts, so that empty ones are limited, too

local fail = errors.fail
local is_null = json_codec.is_null

local function invalid(field, message)
  return fail("invalid", ("receipt: %s %s"):format(field, message), { field = field })
end

local function integer(value, field)
  if type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value > MAX_INTEGER then
    return invalid(field, "must be a whole number from 0 to 2^53, got "
      .. (type(value) == "number" and tostring(value) or type(value)))
  end
  return math.floor(value)
end

local function text(value, field)
  if type(value) ~= "string" then
    return invalid(field, "must be a string, got " .. type(value))
  elseif #value > receipt.MAX_CONTENT_BYTES then
    return fail("too_large", ("receipt: %s must have at most %d bytes, got %d"):format(
      field, receipt.MAX_CONTENT_BYTES, #value), { field = field })
  elseif not core.utf8_valid(value) then
    return invalid(field, "is not valid UTF-8")
  end
  return value
end

local function boolean(value, field)
  if type(value) ~= "boolean" then
    return invalid(field, "must be a boolean, got " .. type(value))
  end
  return value
end

local function device_ids(list, field)
  local copy, count
  if type(list) == "table" then
    copy, count = arguments.list(list)
  end
  if not copy or count > receipt.MAX_DEVICES then
    return invalid(field, ("must be a list of 0 to %d device ids"):format(receipt.MAX_DEVICES))
  end
  for _, id in ipairs(copy) do
    if type(id) ~= "string" then
      return invalid(field, "must be a list of strings")
    end
  end
  return copy
end

local function time(value, _, now)
  return timestamp.format(value == nil and now or value)
end

-- `content`, copied: any JSON value within the limits.
local function copy_content(value, budget, depth)
  local kind = type(value)
  if is_null(value) then
    return nil
  elseif kind ~= "table" then
    budget.left = budget.left - (kind == "string" and #value or 0)
    budget.ok = budget.ok and (kind == "boolean" or (kind == "string" and core.utf8_valid(value))
      or (kind == "number" and value - value == 0)) -- neither NaN nor infinite
    return value
  end
  local copy = {}
  if depth > receipt.MAX_CONTENT_DEPTH then
    budget.left = -1
  end
  for key, member in next, value do
    budget.left = budget.left - NODE_BYTES
    budget.ok = budget.ok and (type(key) == "string" or type(key) == "number")
    if budget.left < 0 or not budget.ok then
      return copy
    end
    copy[copy_content(key, budget, depth)] = copy_content(member, budget, depth + 1)
  end
  return copy
end

local function content(value, field)
  local budget = { left = receipt.MAX_CONTENT_BYTES, ok = true }
  local copy = copy_content(value, budget, 1)
  if budget.left < 0 then
    return fail("too_large", ("receipt: content must have at most %d bytes and %d levels"):format(
      receipt.MAX_CONTENT_BYTES, receipt.MAX_CONTENT_DEPTH), { field = field })
  elseif not budget.ok then
    return invalid(field, "must be text in UTF-8 or a value that JSON has")
  end
  return copy
end

-- Name, check, value when absent.
local RECIPIENT = { { "delivered", integer, 0 }, { "devices", device_ids, {} }, { "unread", integer, 0 } }
local PAYLOAD = {
  { "what", text, "" }, { "silent", boolean, false }, { "topic", text, "" }, { "from", text, "" },
  { "seq", integer, 0 }, { "mime", text, "" }, { "want", access_mode.check, 0 }, { "given", access_mode.check, 0 },
  { "ts", time }, { "content", content },
}

local function read_members(given, members, prefix, now)
  local copy = {}
  for _, member in ipairs(members) do
    local name, check, value = member[1], member[2], rawget(given, member[1])
    if is_null(value) then
      value = member[3]
    end
    local checked, message, details = check(value, prefix .. name, now)
    copy[name] = checked
    if message then
      return nil, message, details
    end
  end
  return copy
end

local function read_payload(given, now)
  if type(given) ~= "table" then
    return invalid("payload", "must be a table, got " .. type(given))
  end
  local payload, message, details = read_members(given, PAYLOAD, "payload.", now)
  if payload and payload.what == "" then
    return invalid("payload.what", 'is missing, it must be "msg" or "sub"')
  end
  return payload, message, details
end

local function read_recipients(given)
  if type(given) ~= "table" then
    return invalid("to", "must be a table from user id to recipient, got " .. type(given))
  end
  local to, count = {}, 0
  for key, recipient in next, given do
    local id, message, details = uid.canonical(key)
    if not id then
      return nil, "receipt: to: " .. message, details
    end
    count = count + 1
    if count > receipt.MAX_RECIPIENTS then
      return fail("too_large", ("receipt: to must have at most %d recipients"):format(receipt.MAX_RECIPIENTS),
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

local function is_checked(given)
  return type(given) == "table" and getmetatable(given) == metatable
end

--- Checks and copies a receipt. One that has been checked is returned unchanged.
-- @tparam table given see the top of this file; absent members are 0, "", false or none; `want` and `given` may be
--   letters or bits, `ts` RFC 3339 text or Unix seconds
-- @tparam number now Unix seconds, for a payload without `ts`
-- @treturn table|nil the copy: `want` and `given` as bits, `ts` as text
-- @fails invalid, too_large
-- @source tinode: push.Receipt
function receipt.check(given, now)
  if is_checked(given) then
    return given
  elseif type(given) ~= "table" then
    return fail("invalid", "receipt: must be a table, got " .. type(given), { field = "receipt" })
  end
  local payload
  local to, message, details = read_recipients(rawget(given, "to"))
  if to then
    payload, message, details = read_payload(rawget(given, "payload"), now)
  end
  return payload and setmetatable({ to = to, payload = payload }, metatable), message, details
end

local function check_argument(call, checked)
  if not is_checked(checked) then
    arguments.refuse(call, 1, "checked receipt", type(checked))
  end
end

--- The user ids of a receipt, smallest number first.
-- @tparam table checked as `check` returns; raises for anything else
-- @treturn table list of strings
-- @source tinode: push.Receipt
function receipt.uids(checked)
  check_argument("uids", checked)
  local list, big_endian = {}, {}
  for id in pairs(checked.to) do
    list[#list + 1] = id
    big_endian[id] = uid.decode(id):reverse()
  end
  table.sort(list, function(a, b)
    return ascii.less(big_endian[a], big_endian[b])
  end)
  return list
end

local function check_codec(call, json, method)
  if type(json) ~= "table" or not arguments.method(json, method) then
    arguments.refuse(call, 2, "codec", type(json))
  end
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
-- @tparam table checked as `check` returns; raises for anything else
-- @tparam table json as json.new returns
-- @treturn string|nil one line
-- @fails invalid
-- @source tinode: push.Receipt
-- @source RFC 8259: JSON
function receipt.encode(checked, json)
  check_argument("encode", checked)
  check_codec("encode", json, "encode")
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
-- @treturn table|nil as `check` returns
-- @fails response when it is not JSON, invalid, too_large
-- @source tinode: push.Receipt
-- @source RFC 8259: JSON
function receipt.decode(line, json, now)
  arguments.check("decode", 1, line, "string")
  check_codec("decode", json, "decode")
  local given, message, details = json.decode(line)
  if given == nil and message then
    return nil, message, details
  elseif type(given) ~= "table" then
    return invalid("text", "must be a JSON object")
  end
  return receipt.check(given, now)
end

return receipt
