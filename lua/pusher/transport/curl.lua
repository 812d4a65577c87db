--- The transport that blocks: one kept libcurl handle, connections reused.
-- Safe across fork: a child makes its own handle and leaves its parent's connections alone.

local arguments = require "pusher.base.arguments"
local curl = require "pusher.curl"
local errors = require "pusher.base.errors"
local no_proxy = require "pusher.base.no_proxy"
local requests = require "pusher.base.request"

local transport = {}

local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.curl" }

--- Makes a transport. Proxy variables of the environment are ignored; only the option `proxy` counts.
-- @tparam[opt] table given see options.TRANSPORT and docs/options.md
-- @treturn table|nil transport
-- @fails config, network
function transport.new(given)
  arguments.check("new", 1, given, "table or nil")
  local settings, message, details = no_proxy.settings(given)
  if not settings then
    return nil, message, details
  end
  local handle, code
  handle, message, code = curl.easy(settings)
  if not handle then
    return errors.fail(code, message)
  end
  return setmetatable({ name = "curl", handle = handle, is_direct = settings.is_direct }, metatable)
end

local function perform(self, request)
  return self.handle:perform(request, self.is_direct(rawget(request, "host"), rawget(request, "port")))
end

--- Sends one request and waits for the response.
-- @tparam table request see pusher.transport
-- @tparam function parse function(status, body, headers)
-- @return what `parse` returns
-- @fails network, timeout, tls, too_large, invalid, closed, and those that `parse` returns
-- @source RFC 9112: HTTP/1.1
-- @source RFC 9113: HTTP/2
-- @source libcurl: the easy interface
function methods:send(request, parse)
  if type(request) ~= "table" or type(parse) ~= "function" then
    arguments.check("send", 1, request, "table")
    arguments.check("send", 2, parse, "function")
  end
  if not self.handle then
    return errors.fail("closed", "the transport is closed", { sent = false })
  end
  local ok, status, body, headers, sent_or_reused = pcall(perform, self, request)
  if not ok then
    return requests.failure(status)
  elseif status then
    return parse(status, body, headers, sent_or_reused)
  end
  return errors.fail(headers, body, { sent = sent_or_reused })
end

--- Closes the connections; may be called again.
function methods:close()
  if self.handle then
    self.handle:close()
    self.handle = nil
  end
end

return transport
