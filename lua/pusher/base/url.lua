--- The pieces of URLs: escaping, hosts, ports. Pure.

local addresses = require "pusher.base.addresses"
local ascii = require "pusher.base.ascii"

local url = {}

--- The port of each scheme.
url.DEFAULT_PORT = { http = 80, https = 443 }

local function hex_escape(char)
  return ("%%%02X"):format(char:byte())
end

local function hex_unescape(hex)
  return string.char(tonumber(hex, 16))
end

--- Percent-encodes all but the unreserved characters of RFC 3986 2.3, for any part of a URL.
-- A space becomes %20: some servers do not read "+" as a space.
-- @tparam string text
-- @treturn string
function url.escape(text)
  return (text:gsub("[^A-Za-z0-9%-._~]", hex_escape))
end

--- Percent-encodes what RFC 3986 3.3 does not allow in a path segment, and nothing else: some servers (soketi) do not
-- decode a path.
-- @tparam string text
-- @treturn string
function url.escape_segment(text)
  return (text:gsub("[^A-Za-z0-9%-._~!$&'()*+,;=:@]", hex_escape))
end

--- Percent-decodes.
-- @tparam string text
-- @treturn string
function url.unescape(text)
  return (text:gsub("%%(%x%x)", hex_unescape))
end

-- A backslash ends a segment on Windows, a semicolon in Java's servers.
local SEGMENTS = "[^/\\;]+"

local MAX_DECODINGS = 3

--- Whether a path, or what becomes a part of one, has a segment "." or "..": servers and proxies read these as steps,
-- also when they are percent-encoded, some even when that was done twice (RFC 3986 sections 5.2.4 and 6.2.2.2). A
-- request must not get another path than the one that was signed.
-- @tparam string text
-- @treturn boolean
function url.has_step(text)
  if not text:find("[.%%]") then
    return false -- the common case
  end
  for _ = 1, MAX_DECODINGS do
    for segment in text:gmatch(SEGMENTS) do
      if segment == "." or segment == ".." then
        return true
      end
    end
    if not text:find("%", 1, true) then
      return false
    end
    text = url.unescape(text)
  end
  return false
end

--- Splits "host", "host:port", "[::1]:port".
-- @tparam string text
-- @treturn string|nil host without brackets; nil when the text is something else, or the port is not 1 to 65535
-- @treturn number|nil port
function url.split_host(text)
  -- Two patterns in a row, since one that reads digits after the name would look at them again and again.
  local host, rest = text:match("^%[([%x:.]+)%](.*)$")
  if not host then
    host, rest = text:match("^([A-Za-z0-9%-_.]+)(.*)$")
  elseif not (host:find(":", 1, true) and addresses.read(host)) then
    return nil -- no IPv6 address
  end
  local port = rest and tonumber(rest:match("^:(%d+)$"))
  if not host or (rest ~= "" and not (port and port >= 1 and port <= 65535)) then
    return nil
  end
  return host, port
end

--- Takes the URL of a proxy apart: `[scheme://][user[:password]@]host[:port]`. It may hold a password, so no message
-- shows any of it.
-- @tparam string text
-- @treturn table|nil `{ scheme = in lower case, host =, port = or nil, userinfo = percent-encoded, or nil }`; nil when
--   the text is something else, has a path, or a control character in what it says about the user
function url.split_proxy(text)
  local scheme, authority = text:match("^([A-Za-z0-9]+)://([^/]+)/?$")
  if not scheme then
    scheme, authority = "http", text:match("^([^/]+)/?$") or ""
  end
  local userinfo, server = authority:match("^([^@]*)@(.*)$")
  local host, port = url.split_host(server or authority)
  if not host or url.unescape(userinfo or ""):find(ascii.CONTROL) then
    return nil
  end
  return { scheme = ascii.lower(scheme), host = host, port = port, userinfo = userinfo }
end

--- Whether a host is an IP address, which needs no lookup. Four numbers that are none, such as 1.2.3.400, are a name;
-- what has a colon is not, so it is taken for IPv6.
-- @tparam string host without brackets
-- @treturn boolean
function url.is_address(host)
  return host:find(":", 1, true) ~= nil or addresses.ipv4(host) ~= nil
end

--- Puts an IPv6 address in brackets, as URLs, the Host header and nginx's connect() want it.
-- @tparam string host
-- @treturn string
function url.bracket(host)
  return host:find(":", 1, true) and "[" .. host .. "]" or host
end

--- The value of a Host header (RFC 9110 7.2): the port is left out when it is the scheme's own.
-- @tparam string scheme "http" or "https"
-- @tparam string host without brackets
-- @tparam number port
-- @treturn string
function url.authority(scheme, host, port)
  host = url.bracket(host)
  return port == url.DEFAULT_PORT[scheme] and host or ("%s:%d"):format(host, port)
end

return url
