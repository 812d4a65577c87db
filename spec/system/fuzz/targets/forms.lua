-- What subscribers send: forms, and the callback of JSONP.

local cjson = require "cjson"
local core = require "pusher.core"
local form = require "pusher.channels.form"
local json_fields = require "pusher.channels.json_fields"
local kind = require "pusher.channels.kind"
local openresty = require "pusher.openresty"
local oracle = require "spec.system.fuzz.oracle"
local pusher = require "pusher"
local reply = require "pusher.openresty.reply"

local SECRET = "secret"
local client = assert(pusher.new {
  app_id = "3", key = "key", secret = SECRET, transport = { send = function() return nil end },
  encryption_master_key_base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
})
local mac = core.mac(SECRET)

local STATUSES = { [200] = true, [400] = true, [403] = true }

local function check_response(status, json)
  assert(STATUSES[status], "status " .. tostring(status))
  return cjson.decode(json)
end

local function authorize(_, channel)
  return kind.prefix(channel) == kind.PRESENCE and { user_id = "u" } or true
end

local function check_signature(read, json)
  local auth = cjson.decode(json).auth
  assert(auth == "key:" .. mac:hex(read.socket_id .. ":" .. read.channels[1]), "another signature")
end

-- The one reader in C and the one in Lua agree.
local function check_common_form(text, read)
  local socket_id, channel, prefix = core.subscriber(text)
  if kind.NEEDS_AUTHORIZATION[prefix] then
    assert(read and not read.listed and read.socket_id == socket_id and read.channels[1] == channel, "C reads another form")
  end
end

local function run_form(text)
  local read = oracle.result_or("invalid", form.subscription(text))
  local socket_id = oracle.result_or("invalid", form.socket_id(text))
  local signed = oracle.result_or("invalid", client:authorize_channel(text))
  local is_presence = read and kind.prefix(read.channels[1]) == kind.PRESENCE
  assert(not read or read.socket_id == socket_id, "two socket ids")
  check_common_form(text, read)
  assert((signed ~= nil) == (read ~= nil and not read.listed and not is_presence), "signed, or not")
  if signed then
    check_signature(read, signed)
  end
  local status, json = openresty.decide.authorize_channel(client, authorize, text)
  check_response(status, json)
  assert((status == 200) == (read ~= nil), "status " .. status)
  status, json = openresty.decide.authenticate_user(client, function() return { id = "u" } end, text)
  check_response(status, json)
  assert((status == 200) == (socket_id ~= nil), "status of the sign-in")
end

-- A body with a content type: what the handlers decide is what form.subscription makes of its fields.
local function check_decision(text, content_type, fields)
  local read
  if fields then
    read = oracle.result_or("invalid", form.subscription(fields))
  end
  local status, json = openresty.decide.authorize_channel(client, authorize, text, content_type)
  check_response(status, json)
  assert((status == 200) == (read ~= nil), "status " .. status)
  if read and not read.listed and kind.prefix(read.channels[1]) ~= kind.PRESENCE then
    check_signature(read, json)
  end
end

local codec = assert(require("pusher.base.json").new())

local function run_json(text)
  local fields = oracle.result_or("invalid", client:read_form(text, "application/json"))
  check_decision(text, "application/json", fields)
  local counted, members = 0, 0
  fields = json_fields.read(text, codec, function()
    counted = counted + 1
    return true
  end)
  for _ in pairs(fields or {}) do
    members = members + 1
  end
  assert(not fields or counted == members, "it was read with other members")
end

local function write_multipart(fields, boundary)
  local parts = {}
  for name, values in pairs(fields) do
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      parts[#parts + 1] = ('--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'):format(boundary, name) .. value .. "\r\n"
    end
  end
  table.sort(parts)
  return table.concat(parts) .. "--" .. boundary .. "--"
end

local function same_fields(a, b)
  return write_multipart(a, "") == write_multipart(b, "")
end

-- The first line is the content type.
local function run_multipart(text)
  local content_type, body = text:match("^([^\n]*)\n(.*)$")
  if not content_type then
    return
  end
  local fields = oracle.result_or("invalid", client:read_form(body, content_type))
  check_decision(body, content_type, fields)
  if fields and content_type:lower():find("multipart", 1, true) then
    local boundary = "fuzz-0123456789abcdef-boundary"
    local again = client:read_form(write_multipart(fields, boundary), "multipart/form-data; boundary=" .. boundary)
    assert(again and same_fields(fields, again), "it was read with other fields")
  end
end

-- Whether the text is a reference, read from its end.
local function is_reference(name)
  while #name > 0 and #name <= 128 do
    if name:find("^[A-Za-z_$][A-Za-z0-9_$]*$") then
      return true
    end
    name = name:match("^(.*)%.[A-Za-z_$][A-Za-z0-9_$]*$") or name:match("^(.*)%[[0-9]+%]$")
      or name:match("^(.*)%['[A-Za-z0-9_$]+'%]$") or name:match('^(.*)%["[A-Za-z0-9_$]+"%]$') or ""
  end
  return false
end

local function run_callback(name)
  local accepted = reply.is_callback(name)
  assert(accepted == is_reference(name), accepted and "no reference" or "a reference is refused")
  assert(not accepted or not name:find("[()<>;/\\%c ]"), "a callback with code")
  local script = reply.jsonp("f", '"' .. name .. '"')
  assert(script:sub(1, 6) == "/**/f(" and not script:find("\226\128[\168\169]"), "the script")
end

return {
  form = {
    texts = {
      "socket_id=123.456&channel_name=private-chat", "socket_id=1.2&channel_name=presence-room&x=y+z%20",
      "channel_name=private-encrypted-a%2Db&socket_id=9.9", "socket_id=1.2&channel_name[0]=private-a&channel_name[1]=presence-b",
      "socket_id=1.2&channel_name%5B%5D=private-a&channel_name%5B%5D=private-b", "socket_id=1.2&socket_id=1.2&channel_name=private-a",
      "socket_id=1.2&channel_name=public", "a&b=&=c&&d==e", "",
    },
    run = run_form,
  },
  json_form = {
    texts = {
      '{"socket_id":"1.2","channel_name":"private-chat"}', '{"channel_name":"presence-a","x":[{"y":1}],"socket_id":"9.9"}',
      '{"socket_id":"1.2","channel_name[]":["private-a","private-b"],"a\\"b":"\\\\"}', '{"a":1,"\\u0061":2,"b":{"a":1}}', "[]", "{}",
    },
    run = run_json,
  },
  multipart_form = {
    texts = {
      "multipart/form-data; boundary=b\n" .. write_multipart({ socket_id = "1.2", channel_name = "private-chat" }, "b"),
      'multipart/form-data; boundary="a b"; x=y\n'
        .. write_multipart({ socket_id = "1.2", ["channel_name[]"] = { "private-a", "presence-b" } }, "a b"),
      "multipart/form-data; boundary=b\n--b\r\nContent-Disposition: form-data; name=a; filename=\"x\"\r\nContent-Type: a/b\r\n"
        .. "Content-Transfer-Encoding: 8bit\r\n\r\n1\r\n--b--\r\n",
      "application/json; charset=utf-8\n{}", "application/x-www-form-urlencoded\na=b",
    },
    run = run_multipart,
  },
  callback = {
    texts = { "receive", "app.receive", "Pusher.auth_callbacks['1']", 'a["b"].c[0]', "$_.x", "a\226\128\168b" },
    run = run_callback,
  },
}
