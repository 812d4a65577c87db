--- The one failure shape of the library: `nil, message, details`.
--
-- `message` is always a string, so `..`, `assert` and `ngx.log` work in every Lua. `details` is a fresh table each
-- time: `{ code =, retryable =, … }`. Neither may hold a secret, a signature or the plaintext of an encrypted event.

local errors = {}

--- Every `details.code`, and whether the same call may succeed later. `details.retryable` may differ for one failure.
errors.CODES = {
  invalid = false, -- an argument's value is not acceptable; nothing was sent. Or 400, 422
  config = false, -- an option or credential is missing or wrong, or a module cannot be loaded
  encryption = false, -- encryption or decryption failed, or there is no master key
  network = true, -- no connection, or it broke
  timeout = true, -- the deadline passed
  tls = false, -- the handshake or the verification of the certificate failed
  unauthorized = false, -- 401; or a webhook's signature is wrong
  clock = false, -- 401 because of the timestamp; details.skew has the seconds
  forbidden = false, -- 403, or access was denied
  not_found = false, -- 404
  too_large = false, -- 413, or an event or a response is above its limit
  rate_limited = true, -- 429; details.retry_after has the seconds when they are known
  server = true, -- 5xx
  response = false, -- the response could not be understood
  full = true, -- a queue or pool is full
  pending = false, -- no outcome yet: the call is still in flight (transport async)
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
