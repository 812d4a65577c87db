---@meta pusher.transport.curl

---@class pusher.transport.Curl : pusher.Transport
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

local curl = {}

---Makes a transport.
---@param given? pusher.TransportOptions
---@return pusher.transport.Curl? transport
---@return string message
---@return pusher.Details details
function curl.new(given) end

return curl
