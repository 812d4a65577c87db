--- The requests that a recorder keeps, with the outcome of each, and the responses that a test has set.
--
-- A record is `{ request =, number = 1 for the first one ever, status = or code = of the outcome }`. Fields to
-- read: `count`, the number of the last record; `closed`.

local defaults = require "pusher.transport.recorder.defaults"
local errors = require "pusher.base.errors"
local requests = require "pusher.base.request"
local responses = require "pusher.transport.recorder.responses"
local view = require "pusher.transport.recorder.view"

local records = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.recorder.records" }

--- Makes an object without requests and responses.
-- @tparam table json as json.new returns
function records.new(json)
  return setmetatable({ json = json, kept = {}, count = 0, responses = responses.new(json), closed = false }, metatable)
end

--- Forgets the requests, and the responses that were set.
function methods:reset()
  self.kept, self.responses = {}, responses.new(self.json)
end

--- Sets a response.
-- @tparam table given as recorder:respond takes it
-- @treturn true|nil
function methods:respond(given)
  return self.responses:add(given)
end

--- Every further request is refused.
function methods:close()
  self.closed = true
end

--- Copies a request that `send` is given.
-- @tparam table request
-- @treturn table|nil
function methods:read(request)
  if self.closed then
    return errors.fail("closed", "the transport is closed", { sent = false })
  end
  return requests.read(request)
end

--- The request of the attempt that follows a failure, if there is one.
-- @tparam table attempts see pusher.transport
-- @param details of the failure
-- @treturn table|nil
function records.next_request(attempts, details)
  local request = attempts:delay(details) and attempts:request()
  return request and requests.read(request) or nil
end

--- Keeps a request.
-- @tparam table request as pusher.base.request reads it
-- @treturn table record
function methods:add(request)
  self.count = self.count + 1
  local record = { request = request, number = self.count }
  self.kept[#self.kept + 1] = record
  return record
end

--- Gives a kept request its response.
-- @tparam table record
-- @tparam function parse function(status, body, headers)
-- @return what `parse` returns, or the failure that was set
function methods:outcome(record, parse)
  local seen = view.of(record.request, self.json)
  local response = self.responses:take(seen.method, seen.path)
  record.code = response.code
  if response.code then
    return responses.fail(response)
  end
  record.status = response.status or 200
  local body = response.body
  if not body then
    body = record.status < 300 and defaults.body(seen, self.json) or ""
  end
  return parse(record.status, body, response.headers or "")
end

--- The requests as a test wants to see them.
-- @treturn table fresh list of what view.of returns, with `status` or `code`
function methods:list()
  local found = {}
  for index, record in ipairs(self.kept) do
    found[index] = view.of(record.request, self.json)
    found[index].status, found[index].code = record.status, record.code
  end
  return found
end

return records
