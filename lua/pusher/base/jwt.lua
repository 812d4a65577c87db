--- What all JSON Web Tokens share, whatever their signature: the compact form of RFC 7515 section 7.1. Pure.

local core = require "pusher.core"

local jwt = {}

--- The bytes to sign, of two JSON texts.
function jwt.signing_input(header, claims)
  return core.base64url_encode(header) .. "." .. core.base64url_encode(claims)
end

--- The whole token, of the bytes that were signed and the signature's raw bytes.
function jwt.compact(input, signature)
  return input .. "." .. core.base64url_encode(signature)
end

return jwt
