---@meta pusher.transport.ngx

---@class pusher.transport.Ngx : pusher.Transport
local transport = {}

---Sends one request and waits for the response.
---@param request pusher.Request
---@param parse pusher.Parse
---@return any result
---@return string message
---@return pusher.Details details
function transport:send(request, parse) end

---Closes the transport; may be called again.
function transport:close() end

local ngx = {}

---Makes a transport.
---@param given? pusher.TransportOptions
---@return pusher.transport.Ngx? transport
---@return string message
---@return pusher.Details details
function ngx.new(given) end

return ngx
