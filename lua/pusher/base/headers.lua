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

return headers
