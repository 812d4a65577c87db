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

local addresses = require "pusher.base.addresses"
local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local errors = require "pusher.base.errors"
local options = require "pusher.base.options"
local url = require "pusher.base.url"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local no_proxy = {}

local MAPPED, MAPPED_BITS = addresses.MAPPED, addresses.MAPPED_BITS

local function read_network(text)
  local written, digits = text:match("^([^/]*)/(%d%d?%d?)$")
  local address, offset = addresses.read(written or "")
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
  local address = addresses.read(text)
  if address then
    return { address = address, bits = 128 }
  end
  local below = text:sub(1, 2) == "*."
  local host, port = url.split_host(below and text:sub(3) or text:gsub("^%.", "", 1))
  address = host and not below and addresses.read(host)
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
  for given in ascii.lower(text):gmatch("[^ \t\r\n,]+") do
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
      if type(host) ~= "string" then
        return false -- such a request is refused
      end
      local name = ascii.lower(host):gsub("%.$", "")
      local address = addresses.read(name)
      last_host, last_port, last = host, port, false
      for _, entry in ipairs(entries) do
        last = last or covers(entry, name, address, port)
      end
    end
    return last
  end
end

--- Reads the options of a transport, `no_proxy` among them.
-- @tparam[opt] table given
-- @treturn table|nil the settings of `options.transport`, and in `is_direct` the function that `new` returns
function no_proxy.settings(given)
  local settings, message, details = options.transport(given)
  if not settings then
    return nil, message, details
  end
  settings.is_direct, message, details = no_proxy.new(settings)
  if not settings.is_direct then
    return nil, message, details
  end
  return settings
end

return no_proxy
