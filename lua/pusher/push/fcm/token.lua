--- Access tokens: a signed assertion is sent, the token that comes back is kept until shortly before it expires.
--
-- Rule: Google's "Using OAuth 2.0 for server to server applications" (RFC 7523). There is at most one fetch at a time;
-- while the old token is still valid, nobody waits for the new one.

local ascii = require "pusher.base.ascii"
local endpoint = require "pusher.base.endpoint"
local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local jwt = require "pusher.base.jwt"
local sources = require "pusher.base.sources"
local url = require "pusher.base.url"

local token = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm.token" }

token.SCOPE = "https://www.googleapis.com/auth/firebase.messaging"

local LIFETIME = 3600 -- seconds, Google's maximum
local MIN_LIFETIME = 60 -- whatever the endpoint says: else a fetch could follow a fetch, and no message be sent
local CLOCK_SKEW = 10 -- seconds: issued a little in the past, dropped a little before it expires
local RETRY_AFTER = 10 -- seconds until the next attempt after a failed fetch
local GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
local MIN_SECRET_BYTES = 40 -- an assertion, a token or a key is at least as long

local CLOSED = { "the FCM handler has been stopped", { code = "closed" } }

local fail = errors.fail

--- Shows nothing of the token.
function metatable.__tostring()
  return "pusher.push.fcm.token"
end

--- The assertion to exchange for a token.
-- @tparam table account as credentials.load returns
-- @tparam number now Unix seconds
-- @treturn string|nil a JSON Web Token
function token.assertion(account, now)
  local issued = math.floor(now) - CLOCK_SKEW
  local header = ('{"alg":"RS256","typ":"JWT","kid":"%s"}'):format(account.private_key_id)
  local claims = ('{"iss":"%s","scope":"%s","aud":"%s","exp":%.0f,"iat":%.0f}'):format(
    account.client_email, token.SCOPE, account.token_uri, issued + LIFETIME, issued)
  local input = jwt.signing_input(header, claims)
  local signature, message, short_of_memory = account.sign(input)
  if not signature then
    return fail(short_of_memory and "network" or "config", "cannot sign with the service account's key: " .. message)
  end
  return jwt.compact(input, signature)
end

--- The request that fetches a token.
-- @tparam table account as credentials.load returns
-- @tparam number now Unix seconds
-- @tparam number timeout seconds
-- @treturn table|nil request
function token.request(account, now, timeout)
  local assertion, message, details = token.assertion(account, now)
  return assertion and endpoint.request(account.endpoint, "POST", "",
    { { "Content-Type", "application/x-www-form-urlencoded" } },
    "assertion=" .. assertion .. "&grant_type=" .. url.escape(GRANT_TYPE), timeout), message, details
end

-- The server's message, without anything that could be a secret.
local function error_text(decoded)
  local error, description = decoded.error, decoded.error_description
  error = type(error) == "string" and error or ""
  local text = error .. (type(description) == "string" and ": " .. description or "")
  return http.one_line((text:gsub("[A-Za-z0-9%-_.+/=]+", function(word)
    return #word >= MIN_SECRET_BYTES and "…" or nil
  end)))
end

local function refused(status, decoded, headers, now)
  local text = error_text(decoded)
  local code = ascii.lower(text):find("short-lived", 1, true) and "clock" or status == 429 and "rate_limited"
    or status >= 500 and "server" or "unauthorized"
  return fail(code, ("the token endpoint responded with status %d%s"):format(status, text ~= "" and ": " .. text or ""),
    { status = status, retry_after = http.retry_after(headers, now) })
end

--- Makes the parser of the token endpoint's responses. Neither message nor details show the body.
-- @tparam table json as json.new returns
-- @tparam function clock Unix seconds
-- @treturn function parse(status, body, headers) -> `{ text =, expires_in = seconds }` | nil, message, details
function token.parser(json, clock)
  return http.check_encoding(function(status, body, headers)
    local decoded = json.decode(body)
    if type(decoded) ~= "table" then
      decoded = {}
    end
    if not (status >= 200 and status < 300) then
      return refused(status, decoded, headers, clock())
    end
    local text, kind = decoded.access_token, decoded.token_type
    if type(text) ~= "string" or not text:find("^[A-Za-z0-9%-_.~+/=]+$") then
      return fail("response", "the token endpoint returned no valid access token", { status = status })
    elseif type(kind) == "string" and ascii.lower(kind) ~= "bearer" then
      return fail("response", "the token endpoint returned an unsupported token_type (expected Bearer)",
        { status = status })
    end
    local expires_in = tonumber(decoded.expires_in)
    local valid = expires_in and expires_in > 0 and expires_in < LIFETIME
    return { text = text, expires_in = valid and math.max(expires_in, MIN_LIFETIME) or LIFETIME }
  end)
end

--- Makes the keeper of an account's token. It reads `json` and `clock` of the handler's options, `timeout` and
-- `token_early` of its configuration; `send(request, parse, done)` is to call done(result, message, details).
function token.new(options, config, account, send)
  return setmetatable({
    account = account, clock = options.clock, config = config, send = send,
    parse = token.parser(options.json, options.clock),
    fetching = false, retry_at = -math.huge, rejected_at = -math.huge,
    -- Named, and never nil (see pusher.base.list), so that to set them takes no memory.
    text = false, failure = false, renew_after = 0, usable_until = 0,
  }, metatable)
end

local function keep(self, granted, message, details)
  self.fetching = false
  if not self.account then
    return -- closed meanwhile
  end
  local now = self.clock()
  if granted then
    self.text, self.failure = granted.text, false
    local expiry = now + granted.expires_in
    -- A token that lives shorter than twice `early` is renewed at half its life.
    self.renew_after = expiry - math.min(self.config.token_early, granted.expires_in / 2)
    self.usable_until = math.max(self.renew_after, expiry - CLOCK_SKEW)
    return
  end
  local wait = math.max(RETRY_AFTER, http.clamp_wait(details.retry_after) or RETRY_AFTER)
  -- Made before the wait begins: until its end there would be neither a token nor a failure for the messages.
  self.failure = { "cannot fetch an access token: " .. message, details }
  self.retry_at = now + wait
end

local function fetch(self)
  local request, message, details = token.request(self.account, self.clock(), self.config.timeout)
  if not request then
    return keep(self, nil, message, details)
  end
  local function done(...)
    return keep(self, ...)
  end
  self.fetching = true
  local ok, raised = pcall(self.send, request, self.parse, done)
  if not ok then
    self.fetching = false
    error(raised, 0)
  end
end

--- The token to use now. A fetch is started when one is due.
-- @treturn string|nil the token; nil alone while it is being fetched; nil, message, details when that failed
function methods:current()
  local now = self.clock()
  if self.text and now <= self.renew_after then
    return self.text
  elseif now ~= now then
    return sources.no_time()
  end
  if not self.fetching and now >= self.retry_at then
    fetch(self)
    now = self.clock()
  end
  if self.text and now <= self.usable_until then
    return self.text
  elseif self.failure and not self.fetching then
    return fail(self.failure[2].code, self.failure[1], self.failure[2])
  end
  return nil
end

--- Whether a token is being fetched.
-- @treturn boolean
function methods:is_fetching()
  return self.fetching
end

--- Forgets the account's key and the token; `current` fails from now on.
function methods:close()
  self.account, self.text, self.retry_at = nil, false, math.huge
  self.failure = CLOSED
end

--- Drops a token that the server refused. A newer one stays. When the server has just refused another one, too, the
-- tokens are not at fault: the present one stays, for the messages that it works for.
-- @tparam string text the one that was used
function methods:reject(text)
  local now = self.clock()
  if self.text == text and now >= self.rejected_at + RETRY_AFTER then
    self.text, self.rejected_at = false, now
  end
end

return token
