--- The headers that every request of the library has, and the version that they name.

local headers = {}

--- The library's version.
headers.VERSION = "0.1.0"

--- Names this library to Pusher's own services.
headers.LIBRARY = { "X-Pusher-Library", "pusher-http-lua " .. headers.VERSION }

local STANDARD = {
  { "Accept", "application/json" },
  -- No transport decodes a compressed body, and some proxies compress unless the request forbids it.
  { "Accept-Encoding", "identity" },
  { "User-Agent", "pusher-http-lua/" .. headers.VERSION },
}

--- Adds the standard headers to a request's own.
-- @tparam table own list of `{ name, value }`; it is extended
-- @treturn table own
function headers.complete(own)
  local count = #own
  for index, pair in ipairs(STANDARD) do
    own[count + index] = pair
  end
  return own
end

--- Copies a completed list of four headers or more.
-- @treturn table list of `{ name, value }`
-- @treturn table names to values
function headers.copy(list)
  -- The first four at once, with a place for the fifth that a POST has: tables that grow take twice the time.
  local a, b, c, d = list[1], list[2], list[3], list[4]
  local copy = { { a[1], a[2] }, { b[1], b[2] }, { c[1], c[2] }, { d[1], d[2] }, nil }
  local map = { [a[1]] = a[2], [b[1]] = b[2], [c[1]] = c[2], [d[1]] = d[2], [5] = nil }
  for index = 5, #list do
    local name, value = list[index][1], list[index][2]
    copy[index], map[name] = { name, value }, value
  end
  return copy, map
end

return headers
