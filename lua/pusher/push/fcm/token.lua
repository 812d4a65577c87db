--- Access tokens: a signed assertion goes out, a token comes back and is kept until shortly before it ends.
--
-- Rule: Google's "Using OAuth 2.0 for server to server applications" (RFC 7523). There is at most one fetch
-- at a time; while the old token still holds, nobody waits for the new one.

local endpoint = require "pusher.base.endpoint"
local errors = require "pusher.base.errors"
local jwt = require "pusher.base.jwt"
local url = require "pusher.base.url"
local http = require "pusher.base.http"

local token = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm.token" }

token.SCOPE = "https://www.googleapis.com/auth/firebase.messaging"

local LIFETIME = 3600 -- seconds, the most that Google takes
local CLOCK_SKEW = 10 -- seconds: issued a little in the past, dropped a little before its end
local RETRY_AFTER = 10 -- seconds until a failed fetch is tried again
local GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
local MAX_WORDS = 200

local fail = errors.fail

--- Shows nothing of the token.
function metatable.__tostring()
  return "pusher.push.fcm.token"
end

--- The assertion that asks for a token.
-- @tparam table account as credentials.load returns
-- @tparam number now Unix seconds
-- @treturn string|nil a JSON Web Token; nil, message, details otherwise
function token.assertion(account, now)
  local issued = math.floor(now) - CLOCK_SKEW
  local header = ('{"alg":"RS256","typ":"JWT","kid":"%s"}'):format(account.private_key_id)
  local claims = ('{"iss":"%s","scope":"%s","aud":"%s","exp":%.0f,"iat":%.0f}'):format(
    account.client_email, token.SCOPE, account.token_uri, issued + LIFETIME, issued)
  local input = jwt.signing_input(header, claims)
  local signature, reason = account.sign(input)
  if not signature then
    return fail("config", "cannot sign with the service account's key: " .. reason)
  end
  return jwt.compact(input, signature)
end

--- The request that fetches a token.
-- @tparam table account as credentials.load returns
-- @tparam number now Unix seconds
-- @tparam number timeout seconds
-- @treturn table|nil request; nil, message, details otherwise
function token.request(account, now, timeout)
  local assertion, message, details = token.assertion(account, now)
  if not assertion then
    return nil, message, details
  end
  return endpoint.request(account.endpoint, "POST", "",
    { { "Content-Type", "application/x-www-form-urlencoded" }, { "Accept", "application/json" } },
    "assertion=" .. assertion .. "&grant_type=" .. url.escape(GRANT_TYPE), timeout)
end

-- The server's words, without anything long enough to be an assertion, a token or a key.
local function words(decoded)
  local error, description = decoded.error, decoded.error_description
  local text = type(error) == "string" and error or ""
  if type(description) == "string" then
    text = text .. ": " .. description
  end
  text = text:gsub("[%w%-_.+/=]+", function(word)
    return #word >= 40 and "…" or nil
  end)
  return (text:gsub("[%c\127]+", " "):sub(1, MAX_WORDS))
end

local function refused(status, decoded, headers, now)
  local text = words(decoded)
  local code = (status == 429 and "rate_limited") or (status >= 500 and "server") or "unauthorized"
  if text:lower():find("short-lived", 1, true) then
    code = "clock"
  end
  return fail(code, ("token endpoint answered %d%s"):format(status, text ~= "" and ": " .. text or ""),
    { status = status, retry_after = http.retry_after(headers, now) })
end

--- Reads the answer to a token request. Neither message nor details show the body.
-- @tparam table json as json.new returns
-- @tparam function clock Unix seconds
-- @treturn function parse(status, body, headers) -> `{ text =, expires_in = seconds }` | nil, message, details
function token.parser(json, clock)
  return function(status, body, headers)
    local decoded = json.decode(body)
    if type(decoded) ~= "table" then
      decoded = {}
    end
    if status < 200 or status > 299 then
      return refused(status, decoded, headers, clock())
    end
    local text, kind = decoded.access_token, decoded.token_type
    if type(text) ~= "string" or not text:find("^[%w%-_.~+/=]+$") then
      return fail("response", "the token endpoint's answer has no access token", { status = status })
    elseif type(kind) == "string" and kind:lower() ~= "bearer" then
      return fail("response", "the token endpoint's answer has a token of another kind than Bearer",
        { status = status })
    end
    local expires_in = tonumber(decoded.expires_in)
    local sensible = expires_in and expires_in > 0 and expires_in < LIFETIME
    return { text = text, expires_in = sensible and expires_in or LIFETIME }
  end
end

--- Makes the keeper of an account's token.
-- @tparam table parts `{ account =, json =, clock =, timeout = seconds, early = seconds before its end at which a
--   token is renewed, send = function(request, parse, done) that calls done(result, message, details) }`
-- @treturn table keeper
function token.new(parts)
  return setmetatable({
    account = parts.account,
    clock = parts.clock,
    timeout = parts.timeout,
    early = parts.early,
    carry = parts.send,
    parse = token.parser(parts.json, parts.clock),
    fetches = 0,
    retry_at = -math.huge,
    rejected_at = -math.huge,
  }, metatable)
end

local function keep(self, answer, message, details)
  local now = self.clock()
  self.fetching = false
  if answer then
    self.text, self.failure = answer.text, nil
    local expiry = now + answer.expires_in
    -- A token that lives shorter than twice the lead is renewed at half its life.
    self.renewal = expiry - math.min(self.early, answer.expires_in / 2)
    self.usable = math.max(self.renewal, expiry - CLOCK_SKEW)
    return
  end
  self.failure = { "cannot fetch an access token: " .. message, details }
  self.retry_at = now + math.max(RETRY_AFTER, details.retry_after or 0)
end

local function fetch(self)
  local asked, message, details = token.request(self.account, self.clock(), self.timeout)
  self.fetching = true
  self.fetches = self.fetches + 1
  if not asked then
    return keep(self, nil, message, details)
  end
  self.carry(asked, self.parse, function(...)
    return keep(self, ...)
  end)
end

--- The token to use now. A fetch is started when one is due.
-- @treturn string|nil the token; nil alone while it is being fetched; nil, message, details when that failed
function methods:current()
  local now = self.clock()
  if self.text and now <= self.renewal then
    return self.text
  end
  if not self.fetching and now >= self.retry_at then
    fetch(self)
    now = self.clock()
  end
  if self.text and now <= self.usable then
    return self.text
  elseif self.failure and not self.fetching then
    return fail(self.failure[2].code, self.failure[1], self.failure[2])
  end
  return nil
end

--- Drops a token that the server no longer takes; a newer one than it stays. When the server has just refused
-- another one, too, tokens are not what is wrong: the present one stays, for the messages that are taken with it.
-- @tparam string text the one that was used
function methods:reject(text)
  local now = self.clock()
  if self.text == text and now >= self.rejected_at + RETRY_AFTER then
    self.text, self.rejected_at = nil, now
  end
end

return token
