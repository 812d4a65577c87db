---@meta pusher.transport.async

---@class pusher.transport.Async : pusher.Transport
local transport = {}

---Makes a pending that is done: what a refused call returns over this transport.
---@param message string
---@param details pusher.Details
---@return pusher.Pending<any> pending
function transport:fail(message, details) end

---Starts one request.
---@param request pusher.Request
---@param parse pusher.Parse
---@param attempts? table
---@return pusher.Pending<any> pending
function transport:send(request, parse, attempts) end

---Runs the callbacks of the calls that have ended, for about 0.1 ms at most.
---@param seconds? number how long to wait for the first call to end; default 0
---@return integer? unsettled calls
---@return string message
---@return pusher.Details details
function transport:step(seconds) end

---Returns the descriptor that is readable when step has something to do.
---@return integer? descriptor
function transport:pollfd() end

---Returns the events to watch the descriptor for.
---@return string events
function transport:events() end

---Returns when to call step even if the descriptor is not ready.
---@return number? seconds
function transport:timeout() end

---Closes the connections; calls in flight end with code `closed`. May be called again.
function transport:close() end

local async = {}

---Makes a transport.
---@param given? pusher.TransportOptions
---@return pusher.transport.Async? transport
---@return string message
---@return pusher.Details details
function async.new(given) end

return async
