--- The blocking transport: one kept libcurl handle, connections reused.
-- Safe across fork: a child makes a handle of its own and leaves its parent's connections alone.

local curl = require "pusher.curl"
local errors = require "pusher.base.errors"
local options = require "pusher.base.options"

local transport = {}

local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.curl" }

--- Makes a transport.
-- No proxy is taken from the environment: `proxy` is the only way to one.
-- @tparam[opt] table given
--   `timeout` (5) and `connect_timeout` (= timeout) in seconds; `keepalive` = `{ idle = 60, pool_size = 30 }`
--   in seconds and connections; `proxy`, `no_proxy`, `ca_file`; `tls_verify` (true); `max_response_bytes` (1 MiB)
-- @treturn table|nil transport, or the failure triple with code `config`
function transport.new(given)
  local settings, message, details = options.transport(given or {})
  if not settings then
    return nil, message, details
  end
  local handle, code
  handle, message, code = curl.easy(settings)
  if not handle then
    return errors.fail(code, message)
  end
  return setmetatable({ name = "curl", handle = handle }, metatable)
end

--- Sends one request and waits for the answer.
-- @tparam table request `{ method =, scheme =, host =, port =, target =, headers =, body =, timeout =, once = }`;
--   `once`: a body is sent at most once, also where a kept connection breaks before the answer
-- @tparam function parse called with status, body and the header lines; what it returns is returned
-- @return what `parse` returns, or the failure triple: `network`, `timeout`, `tls`, `too_large`,
--   `invalid`, `closed`; `details.sent` is false when surely nothing reached the server
function methods:send(request, parse)
  local handle = self.handle
  if not handle then
    return errors.fail("closed", "the transport is closed", { sent = false })
  end
  local status, body, headers, sent = handle:perform(request)
  if status then
    return parse(status, body, headers)
  end
  return errors.fail(headers, body, { sent = sent })
end

--- Closes the connections; may be called again.
function methods:close()
  if self.handle then
    self.handle:close()
    self.handle = nil
  end
end

return transport
