--- The signatures of the Channels protocol, checked and made independently of the library under test: requests, channel
-- authorization, user sign-in, webhooks.

local hmac = require "openssl.hmac"
local digest = require "openssl.digest"

local signature = {}

local HEX = {}
for byte = 0, 255 do
  HEX[string.char(byte)] = string.format("%02x", byte)
end

local function to_hex(bytes)
  return (bytes:gsub(".", HEX))
end

--- HMAC-SHA256 in lower-case hex.
function signature.sign(secret, text)
  return to_hex(hmac.new(secret, "sha256"):final(text))
end

--- MD5 in lower-case hex.
function signature.md5(text)
  return to_hex(digest.new("md5"):final(text))
end

local function unescape(text)
  if not text:find("%", 1, true) then
    return text
  end
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- Splits a query string.
-- @treturn table name -> decoded value (the last one, when repeated)
-- @treturn table `{ {name, value}, … }` in the order given
function signature.parse_query(query)
  local values, pairs_in_order = {}, {}
  for raw_name, raw_value in query:gmatch("([^&=]+)=?([^&]*)") do
    local name, value = unescape(raw_name), unescape(raw_value)
    values[name] = value
    pairs_in_order[#pairs_in_order + 1] = { name, value }
  end
  return values, pairs_in_order
end

--- The text that a request's signature covers.
function signature.request_text(method, path, parameters)
  local parts = {}
  for _, pair in ipairs(parameters) do
    local name = pair[1]:lower()
    if name ~= "auth_signature" then
      parts[#parts + 1] = { name, pair[2] }
    end
  end
  table.sort(parts, function(a, b)
    return a[1] < b[1]
  end)
  for index, pair in ipairs(parts) do
    parts[index] = pair[1] .. "=" .. pair[2]
  end
  return method .. "\n" .. path .. "\n" .. table.concat(parts, "&")
end

local function refuse(text, status)
  return { status = status or 401, body = text .. "\n" }
end

local function iso(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
end

local function check_time(app, timestamp)
  local given = timestamp:match("^%d+$") and tonumber(timestamp)
  if not given then
    return refuse("Timestamp required")
  end
  local now = os.time() + app.clock_offset
  if math.abs(given - now) >= app.signature_grace then
    return refuse(("Timestamp expired: Given timestamp (%s) not within %ds of server time (%s)"):format(
      iso(given), app.signature_grace, iso(now)))
  end
end

local function check_body(values, body)
  local given = values.body_md5
  if body ~= "" and not given then
    return refuse("Missing parameter: body_md5")
  elseif given and given ~= signature.md5(body) then
    return refuse("Invalid body_md5: the body has MD5 " .. signature.md5(body))
  end
end

local INVALID = 'Invalid signature: you should have sent HmacSHA256Hex("%s", your_secret_key), but you sent "%s"'

--- Checks the signature of a request as pusher.com does.
-- @tparam table app `key`, `secret`, `signature_grace`, `clock_offset`
-- @tparam table request `method`, `path`, `query`, `body`
-- @return nil when it is valid, else the response that refuses it
-- @treturn table the decoded query
function signature.check_request(app, request)
  local values, parameters = signature.parse_query(request.query)
  for _, name in ipairs { "auth_key", "auth_timestamp", "auth_version", "auth_signature" } do
    if not values[name] then
      return refuse("Missing parameter: " .. name), values
    end
  end
  if values.auth_key ~= app.key then
    return refuse("Unknown auth_key: " .. values.auth_key), values
  elseif values.auth_version ~= "1.0" then
    return refuse("Version not supported"), values
  end
  local refused = check_time(app, values.auth_timestamp) or check_body(values, request.body)
  if refused then
    return refused, values
  end
  local text = signature.request_text(request.method, request.path, parameters)
  if signature.sign(app.secret, text) ~= values.auth_signature then
    return refuse(INVALID:format((text:gsub("\n", "\\n")), values.auth_signature)), values
  end
  return nil, values
end

--- Checks the `auth` member that a subscriber or a user presents.
-- @tparam table app
-- @tparam string auth "key:signature"
-- @tparam string text the text that must be signed
-- @return nil when it is valid, else a message
function signature.check_auth(app, auth, text)
  local key, given = tostring(auth or ""):match("^([^:]*):(%x+)$")
  if not key then
    return "should be of format 'key:signature'"
  elseif key ~= app.key then
    return "unknown key " .. key
  elseif given ~= signature.sign(app.secret, text) then
    return ("Invalid signature: Expected HMAC SHA256 hex digest of %s, but got %s"):format(text, given)
  end
end

return signature
