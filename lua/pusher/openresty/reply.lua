--- What the handlers respond with: JSON texts for refusals, and JSONP. Pure.
--
-- A refusal repeats nothing that a visitor sent, so nothing in it needs escaping.

local reply = {}

-- Longer than any generated callback name, shorter than any script.
local MAX_CALLBACK_BYTES = 128

local REFUSALS = {
  [400] = "bad request",
  [401] = "unauthorized",
  [403] = "forbidden",
  [405] = "method not allowed",
  [411] = "the request must have a Content-Length",
  [413] = "the body is too large",
  [415] = "the body must be application/x-www-form-urlencoded, application/json or multipart/form-data",
  [500] = "internal error",
}

--- The JSON text of a refusal.
-- @tparam number status
-- @tparam[opt] string text in place of the status's own; without quotes
-- @treturn string
function reply.refusal(status, text)
  return '{"error":"' .. (text or REFUSALS[status]) .. '"}'
end

--- Whether a JSONP callback is a plain JavaScript reference, such as `receive`, `app.receive` or pusher-js's
-- `Pusher.auth_callbacks['1']`.
-- @param name
-- @treturn boolean
function reply.is_callback(name)
  if type(name) ~= "string" or #name > MAX_CALLBACK_BYTES then
    return false
  end
  local rest = name:match("^[A-Za-z_$][A-Za-z0-9_$]*(.*)$")
  while rest and rest ~= "" do
    rest = rest:match("^%.[A-Za-z_$][A-Za-z0-9_$]*(.*)$") or rest:match("^%[%d+%](.*)$")
      or rest:match("^%['[A-Za-z0-9_$]+'%](.*)$")
      or rest:match('^%["[A-Za-z0-9_$]+"%](.*)$')
  end
  return rest == ""
end

--- A script that passes a JSON text to a callback.
-- The comment in front keeps browsers from reading the response as another file type (the "Rosetta Flash" attack). Two
-- line separators are legal in JSON, but were not in JavaScript before ECMAScript 2019.
-- @tparam string callback checked by is_callback
-- @tparam string text JSON
-- @treturn string
function reply.jsonp(callback, text)
  text = text:gsub("\226\128\168", "\\u2028"):gsub("\226\128\169", "\\u2029")
  return "/**/" .. callback .. "(" .. text .. ");"
end

return reply
