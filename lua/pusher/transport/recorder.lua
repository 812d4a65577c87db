--- A transport for tests: sends nothing, keeps the requests, and returns the responses that a test has set.
--
--     local recorder = require("pusher.transport.recorder").new()
--     local client = pusher.new { app_id = "1", key = "key", secret = "secret", transport = recorder }
--     client:trigger("lobby", "said", { text = "hello" })
--     recorder:events()[1].data.text   --> "hello"
--
-- Without a set response every call succeeds. Attempts of the option `retry` follow each other without a pause. With
-- `pendings` the recorder is like the async transport: `send` returns a pending, which `step` settles.
-- Whatever is wrong in a call of a test's own (`new`, `respond`) raises at the caller's line.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local encryption = require "pusher.channels.encryption"
local events = require "pusher.transport.recorder.events"
local json = require "pusher.base.json"
local list = require "pusher.base.list"
local options = require "pusher.base.options"
local pendings = require "pusher.transport.recorder.pendings"
local records = require "pusher.transport.recorder.records"

local recorder = {}

local OPTIONS = {
  pendings = { "boolean", default = false },
  encryption_master_key_base64 = { "string" },
  log = { "function", default = callback.log_to_stderr },
}

local methods, methods_with_pendings = {}, {} -- the latter: both these and those of pendings.lua, which win
local metatable = { __index = methods, __name = "pusher.transport.recorder" }
local metatable_with_pendings = { __index = methods_with_pendings, __name = "pusher.transport.recorder" }

--- Makes a recorder, to be given as the option `transport`.
-- @tparam[opt] table given `pendings` = true makes it one whose calls return pendings (false);
--   `encryption_master_key_base64`, with which `events` shows encrypted data as plaintext; `log` = function(level,
--   message, fields) gets what callbacks of pendings raise (standard error)
-- @treturn table recorder
function recorder.new(given)
  arguments.check("new", 1, given, "table or nil")
  local settings, message = options.check(given or {}, OPTIONS)
  local codec, key
  if settings then
    codec, message = json.new()
  end
  if codec and settings.encryption_master_key_base64 then
    key, message = encryption.master_key(settings.encryption_master_key_base64)
  end
  if message then
    arguments.raise("new: " .. message)
  end
  return setmetatable({
    name = "recorder",
    repeats = true, -- see pusher.transport
    log = settings.log,
    json = codec,
    sealer = key and encryption.new(key) or nil,
    records = records.new(codec),
    waiting = list.new(), -- of the records, those that the next step settles: see pendings.lua
  }, settings.pendings and metatable_with_pendings or metatable)
end

--- Sets the response to one request: to the next one that is not taken by an earlier `respond`, or to the next with
-- this method and path.
-- @tparam table given a response: `status` (200), `body` (text, or a table for JSON; without it what a server sends
--   on success, and nothing from status 300 on), `headers` (names to values, or header lines); or a failure: `code`,
--   which is one of `network`, `timeout`, `tls`, `too_large`, `invalid`, `full`, `closed` and `config`, `message`, and
--   `sent` = false when surely nothing was sent. In both cases `method`; `path`, the end of the request's path, such as
--   "/events"; `times`, how many requests get it (1; `math.huge` for all)
-- @treturn table the recorder
function methods:respond(given)
  arguments.check("respond", 1, given, "table")
  local ok, message = self.records:respond(given)
  if not ok then
    arguments.raise("respond: " .. message)
  end
  return self
end

--- The requests in the order in which they were sent, also those that failed, and each attempt.
-- @treturn table a fresh list of `{ method =, scheme =, host =, port =, path = without the query, query = decoded,
--   headers = with names in lower case, body =, json = the body decoded, timeout = in seconds, status = of the
--   response, code = of the failure }`
function methods:requests()
  return self.records:list()
end

--- The events that were accepted: those of requests that got a status from 200 to 299, in order, one for each channel.
-- @treturn table a fresh list of `{ channel = or user_id =, name =, data = decoded when it is JSON, socket_id =, info =
--   list, idempotency_key =, extra =, encrypted = true on encrypted channels, error = why data cannot be decrypted }`;
--   encrypted data is decrypted with the option `encryption_master_key_base64`, otherwise it is the table that the
--   server gets
function methods:events()
  local found = {}
  for _, seen in ipairs(self.records:list()) do
    if seen.status and seen.status >= 200 and seen.status < 300 then
      events.add(found, seen, self.json, self.sealer)
    end
  end
  return found
end

--- Forgets the requests, and the responses that were set. Calls in flight remain so.
function methods:reset()
  self.records:reset()
end

--- Keeps a request, and returns what `parse` makes of the response that was set.
-- @tparam table request see pusher.transport
-- @tparam function parse function(status, body, headers)
-- @tparam[opt] table attempts see pusher.transport
-- @return what `parse` returns; with `pendings` a pending
-- @fails invalid, closed; the code that was set, and those that `parse` returns
function methods:send(request, parse, attempts)
  arguments.check("send", 1, request, "table")
  arguments.check("send", 2, parse, "function")
  local read, message, details = self.records:read(request)
  local result
  while read do
    result, message, details = self.records:outcome(self.records:add(read), parse)
    read = result == nil and attempts and records.next_request(attempts, details)
  end
  return result, message, details
end

--- Ends the recorder: every further call fails with code `closed`. What it has kept can still be read.
function methods:close()
  self.records:close()
end

for _, list_of_methods in ipairs { methods, pendings } do
  for name, method in pairs(list_of_methods) do
    methods_with_pendings[name] = method
  end
end

return recorder
