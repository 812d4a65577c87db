--- The pieces of URLs: escaping, forms, hosts. Pure.

local url = {}

local function hex_escape(char)
  return ("%%%02X"):format(char:byte())
end

--- Percent-encodes all but the unreserved characters of RFC 3986.
-- A blank is %20: some servers do not read "+" as a blank.
-- @tparam string text
-- @treturn string
function url.escape(text)
  return (text:gsub("[^A-Za-z0-9%-._~]", hex_escape))
end

--- Percent-decodes.
-- @tparam string text
-- @treturn string
function url.unescape(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- Reads one url-encoded form; a repeated field becomes a list.
-- @tparam string body
-- @treturn table
function url.decode_form(body)
  local fields = {}
  for name, value in body:gsub("+", " "):gmatch("([^&=]+)=([^&]*)") do
    name, value = url.unescape(name), url.unescape(value)
    local before = fields[name]
    if before == nil then
      fields[name] = value
    elseif type(before) == "table" then
      before[#before + 1] = value
    else
      fields[name] = { before, value }
    end
  end
  return fields
end

--- Splits "host", "host:port", "[::1]:port".
-- @tparam string text
-- @treturn string|nil host without brackets
-- @treturn number|nil port
function url.split_host(text)
  local host, port = text:match("^%[([%x:.]+)%]:?(%d*)$")
  if not host then
    host, port = text:match("^([%w%-_.]+):?(%d*)$")
  end
  if not host or (port == "" and text:sub(-1) == ":") then
    return nil
  end
  return host, tonumber(port)
end

return url
