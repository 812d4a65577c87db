--- Which hosts are reached without the proxy: the option `no_proxy`, the same for all transports. Pure.
--
-- A list, separated by commas or spaces, of
--   example.com, .example.com   the name and all names below it
--   *.example.com               the names below it only
--   10.0.0.1, ::1, [::1]        an IP address, in any spelling
--   10.0.0.0/8, fd00::/8        a network
--   *                           all hosts
-- A name or an address may be followed by a port (`example.com:8080`, `[::1]:80`): the entry covers that port only.
-- Case and a dot at the end of a name do not matter. Names are not looked up: `127.0.0.1` does not cover `localhost`.
--
-- Rules: curl's lib/noproxy.c (8.x) and Go's golang.org/x/net/http/httpproxy. They differ in the leading dot, which is
-- read as in curl (Go excludes the name itself); in ports, `*.` and a `*` beside other entries, which are read as in Go
-- (curl ignores them); and in `localhost`, which Go never reaches through a proxy: here, as in curl, it must be listed.
-- Both skip what they cannot read; here it is refused.

local arguments = require "pusher.base.arguments"
local errors = require "pusher.base.errors"
local url = require "pusher.base.url"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local no_proxy = {}

local MAPPED = ("\0"):rep(10) .. "\255\255" -- an IPv4 address among those of IPv6 (RFC 4291 2.5.5.2)
local MAPPED_BITS = 96
local MAX_ADDRESS_BYTES = 45

-- Not string.lower, which depends on the locale.
local function lower(text)
  return (text:gsub("[A-Z]", function(letter)
    return string.char(letter:byte() + 32)
  end))
end

-- Four bytes of "10.0.0.1". A leading zero is refused: some programs read octal numbers there.
local function ipv4(text)
  local parts = { text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
  for index, part in ipairs(parts) do
    if #part > 3 or tonumber(part) > 255 or (#part > 1 and part:sub(1, 1) == "0") then
      return nil
    end
    parts[index] = string.char(tonumber(part))
  end
  return parts[1] and table.concat(parts)
end

-- The bytes of "fd00:1:2", two for each group of hexadecimal digits.
local function groups(text)
  local out = {}
  for group in (text == "" and "" or text .. ":"):gmatch("([^:]*):") do
    if not group:find("^%x%x?%x?%x?$") then
      return nil
    end
    local value = tonumber(group, 16)
    out[#out + 1] = string.char(math.floor(value / 256), value % 256)
  end
  return table.concat(out)
end

-- Sixteen bytes (RFC 4291 2.2): "::" stands for zeros, and the last four bytes may be written as in IPv4.
local function ipv6(text)
  local head, tail = text:match("^(.*:)([%d.]+)$")
  local last = tail and ipv4(tail)
  if last then
    text = head .. ("%02x%02x:%02x%02x"):format(last:byte(1, 4))
  end
  local gap = text:find("::", 1, true)
  local before = groups(gap and text:sub(1, gap - 1) or text)
  local after = groups(gap and text:sub(gap + 2) or "")
  if not before or not after or (gap and #before + #after > 14) or (not gap and #before ~= 16) then
    return nil
  end
  return before .. ("\0"):rep(16 - #before - #after) .. after
end

-- The sixteen bytes of any IP address, and how many bits of them precede what was written.
local function read_address(text)
  if #text > MAX_ADDRESS_BYTES then
    return nil
  end
  local short = ipv4(text)
  if short then
    return MAPPED .. short, MAPPED_BITS
  end
  return ipv6(text), 0
end

local function read_network(text)
  local written, digits = text:match("^([^/]*)/(%d%d?%d?)$")
  local address, offset = read_address(written or "")
  local bits = address and tonumber(digits) + offset
  return bits and bits <= 128 and { address = address, bits = bits } or nil
end

-- A host name without the dot at its end. What ends in a number is no name (URL standard, "ends in a number checker").
local function read_name(text)
  local name = text:gsub("%.$", "")
  if name:find("^[a-z0-9_-][a-z0-9_.-]*$") and not name:find("..", 1, true) and not name:find("%.%d+$")
    and not name:find("^%d+$") then
    return name
  end
end

local function read_entry(text)
  if text == "*" then
    return { all = true }
  elseif text:find("/", 1, true) then
    return read_network(text)
  end
  local address = read_address(text)
  if address then
    return { address = address, bits = 128 }
  end
  local below = text:sub(1, 2) == "*."
  local host, port = url.split_host(below and text:sub(3) or text:gsub("^%.", "", 1))
  address = host and not below and read_address(host)
  if address then
    return { address = address, bits = 128, port = port }
  end
  local name = host and text:sub(1, 1) ~= "[" and read_name(host)
  return name and { name = name, suffix = "." .. name, below = below, port = port }
end

local function is_within(address, network)
  local bits = network.bits
  local bytes, rest = math.floor(bits / 8), bits % 8
  if bits < MAPPED_BITS and address:sub(1, #MAPPED) == MAPPED then
    return false -- ::/0 stands for IPv6
  elseif address:sub(1, bytes) ~= network.address:sub(1, bytes) then
    return false
  end
  local unit = 2 ^ (8 - rest)
  return rest == 0 or math.floor(address:byte(bytes + 1) / unit) == math.floor(network.address:byte(bytes + 1) / unit)
end

local function covers(entry, name, address, port)
  if entry.port and entry.port ~= port then
    return false
  elseif entry.all then
    return true
  elseif entry.name then
    return not address and ((name == entry.name and not entry.below) or name:sub(-#entry.suffix) == entry.suffix)
  end
  return address ~= nil and is_within(address, entry)
end

local MAX_ENTRY_BYTES = 300 -- a name has 253 (RFC 1035 2.3.4), and there may be a port

local function read_list(text)
  local entries = {}
  for given in lower(text):gmatch("[^ \t\r\n,]+") do
    local entry = #given <= MAX_ENTRY_BYTES and read_entry(given)
    if not entry then
      return errors.fail("config", ('option "no_proxy" must list names, IP addresses, networks such as 10.0.0.0/8, or '
        .. "*, got %s"):format(arguments.show(given)), { field = "no_proxy" })
    end
    entries[#entries + 1] = entry
  end
  return entries
end

--- Reads the list.
-- @tparam table settings of a transport: `proxy`, `no_proxy`
-- @treturn function|nil function(host without brackets, port) -> whether there is a proxy that is not used; it keeps
--   the last result. Nil, message, details (code `config`) when an entry cannot be read
function no_proxy.new(settings)
  local entries, message, details = read_list(settings.no_proxy or "")
  if not entries then
    return nil, message, details
  elseif not settings.proxy then
    entries = {}
  end
  local last_host, last_port, last
  return function(host, port)
    if host ~= last_host or port ~= last_port then
      local name = lower(host):gsub("%.$", "")
      local address = read_address(name)
      last_host, last_port, last = host, port, false
      for _, entry in ipairs(entries) do
        last = last or covers(entry, name, address, port)
      end
    end
    return last
  end
end

return no_proxy
