--- IP addresses: text in, bytes out. Pure.

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local addresses = {}

--- The prefix of an IPv4 address that is written as IPv6 (RFC 4291 2.5.5.2).
addresses.MAPPED = ("\0"):rep(10) .. "\255\255"
addresses.MAPPED_BITS = 8 * #addresses.MAPPED

local MAX_ADDRESS_BYTES = 45

--- Reads an IPv4 address: four numbers from 0 to 255. A leading zero is refused: some programs read octal
-- numbers there.
-- @tparam string text
-- @treturn string|nil four bytes; nil when the text is something else
function addresses.ipv4(text)
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
  local last = tail and addresses.ipv4(tail)
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

--- Reads any IP address.
-- @tparam string text without brackets
-- @treturn string|nil sixteen bytes, an IPv4 address among those of IPv6; nil when the text is something else
-- @treturn number|nil the length of the prefix that was added, in bits: 96 for IPv4, 0 for IPv6
function addresses.read(text)
  if #text > MAX_ADDRESS_BYTES then
    return nil
  end
  local short = addresses.ipv4(text)
  if short then
    return addresses.MAPPED .. short, addresses.MAPPED_BITS
  end
  local long = ipv6(text)
  if long then
    return long, 0
  end
end

return addresses
