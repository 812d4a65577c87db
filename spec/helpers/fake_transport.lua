--- A transport that keeps the requests, and responds to each one alike.

local fake = {}
local methods = {}
local metatable = { __index = methods }

--- @tparam[opt=200] number status
-- @tparam[opt="{}"] string body
-- @tparam[opt=""] string headers raw header lines
function fake.new(status, body, headers)
  return setmetatable({ requests = {}, status = status or 200, body = body or "{}", headers = headers or "" },
    metatable)
end

function methods:send(request, parse)
  self.requests[#self.requests + 1] = request
  self.last = request
  return parse(self.status, self.body, self.headers)
end

function methods:close()
  self.closed = true
end

return fake
