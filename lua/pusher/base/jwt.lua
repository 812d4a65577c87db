--- The part of a JSON Web Token (RFC 7515 section 7.1, compact form) that both kinds of signature share. Pure.

local core = require "pusher.core"

local jwt = {}

--- What is signed.
-- @tparam string header JSON text
-- @tparam string claims JSON text
-- @treturn string
function jwt.signing_input(header, claims)
  return core.base64url_encode(header) .. "." .. core.base64url_encode(claims)
end

--- The whole token.
-- @tparam string input as jwt.signing_input returns
-- @tparam string signature raw bytes
-- @treturn string
function jwt.compact(input, signature)
  return input .. "." .. core.base64url_encode(signature)
end

return jwt
