--- The OAuth token endpoint: takes an assertion signed by a service account, grants an access token. Checks it
-- independently of the library under test, with the account's public key. Rule: RFC 7523; Google's "Using OAuth 2.0 for
-- server to server applications".

local basexx = require "basexx"
local digest = require "openssl.digest"
local json = require "tools.local_server.channels.json"
local pkey = require "openssl.pkey"
local signature = require "tools.local_server.channels.signature"

local tokens = {}

local GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
local SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
local LONGEST = 3600 -- seconds from iat to exp

local function refuse(description, code)
  return {
    status = 400,
    type = "application/json",
    body = json.encode { error = code or "invalid_grant", error_description = description },
  }
end

local function decode_part(text)
  local ok, bytes = pcall(basexx.from_url64, text)
  return ok and bytes and json.decode_object(bytes)
end

local function check_claims(account, claims)
  local now = os.time()
  if claims.iss ~= account.client_email then
    return "Invalid issuer: Not a valid email or user ID."
  elseif claims.scope ~= SCOPE then
    return "Invalid scope"
  elseif claims.aud ~= account.token_uri then
    return "Invalid JWT: audience"
  elseif type(claims.iat) ~= "number" or type(claims.exp) ~= "number" or claims.exp - claims.iat > LONGEST
    or claims.iat > now or claims.exp < now then
    return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
  end
end

-- A message about an invalid assertion; nil for a valid one.
local function check_assertion(account, assertion)
  local head, body, sealed = assertion:match("^([%w%-_]+)%.([%w%-_]+)%.([%w%-_]+)$")
  local header, claims = head and decode_part(head), head and decode_part(body)
  if not header or not claims then
    return "Invalid JWT: not a token"
  elseif header.alg ~= "RS256" or header.typ ~= "JWT" or header.kid ~= account.private_key_id then
    return "Invalid JWT: header"
  end
  local key = pkey.new(account.public_key)
  if not key:verify(basexx.from_url64(sealed), digest.new("sha256"):update(head .. "." .. body)) then
    return "Invalid JWT Signature."
  end
  return check_claims(account, claims)
end

--- Responds to a token request.
function tokens.grant(state, exchange)
  local body = exchange:read_body() or ""
  state.counts.token_requests = state.counts.token_requests + 1
  if exchange:header("content-type") ~= "application/x-www-form-urlencoded" then
    return refuse("wrong content type", "invalid_request")
  end
  local form = signature.parse_query(body)
  if form.grant_type ~= GRANT_TYPE then
    return refuse("Invalid grant_type", "unsupported_grant_type")
  end
  local message = check_assertion(state.account, form.assertion or "")
  if message then
    return refuse(message)
  end
  state.counts.tokens = state.counts.tokens + 1
  local text = ("ya29.local-%d-%d"):format(state.counts.tokens, math.random(1e9))
  state.granted[text] = os.time() + state.options.token_seconds
  return {
    status = 200,
    type = "application/json",
    body = json.encode { access_token = text, expires_in = state.options.token_seconds, token_type = "Bearer" },
  }
end

--- Whether a token has been granted and is still valid.
function tokens.holds(state, authorization)
  local text = (authorization or ""):match("^Bearer (.+)$")
  local expiry = text and state.granted[text]
  return expiry ~= nil and expiry > os.time()
end

return tokens
