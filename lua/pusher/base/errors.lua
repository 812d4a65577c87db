--- The one failure shape of the library: `nil, message, details`.
--
-- `message` is always a string, so `..`, `assert` and `ngx.log` work on every
-- Lua. `details` is a fresh table each time: `{ code =, retryable =, … }`.
-- Nothing here (and nothing handed in) may hold a secret, a signature or the
-- plaintext of an encrypted event.

local errors = {}

--- Every `details.code` there is, and whether the same call may succeed later.
-- `retryable` can be overridden per failure through `details.retryable`.
errors.CODES = {
  invalid = false, -- an argument's value is not acceptable; nothing was sent
  config = false, -- an option or credential is missing or wrong
  encryption = false, -- sealing or opening failed, or no master key is set
  network = true, -- no connection, or it broke
  timeout = true, -- the deadline passed
  tls = false, -- handshake or certificate verification failed
  unauthorized = false, -- 401, a wrong key, signature or webhook token
  clock = false, -- 401 because of the timestamp; details.skew has the seconds
  forbidden = false, -- 403, or an access that is refused
  not_found = false, -- 404
  too_large = false, -- 413, an event above the limit, a response above the cap
  rate_limited = true, -- 429; details.retry_after has the seconds when known
  server = true, -- 5xx
  response = false, -- the answer could not be understood
  full = true, -- a queue or pool is full
  pending = false, -- no outcome yet: the call is still under way (async transport)
  closed = false, -- the client, transport or queue has been closed
}

--- Builds the failure triple.
-- @tparam string code one of `errors.CODES`
-- @tparam string message what went wrong, in one line, free of secrets
-- @tparam[opt] table details more members for `details`; copied, not kept
-- @return nil
-- @treturn string message
-- @treturn table details with at least `code` and `retryable`
function errors.fail(code, message, details)
  local out = {}
  for name, value in pairs(details or {}) do
    out[name] = value
  end
  out.code = code
  if out.retryable == nil then
    out.retryable = errors.CODES[code] or false
  end
  return nil, message, out
end

return errors
