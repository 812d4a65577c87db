---@meta pusher.transport

---@class pusher.Request
---@field method string
---@field scheme "http"|"https"
---@field host string without brackets
---@field port integer
---@field target string path and query
---@field headers [string, string][]
---@field body? string
---@field timeout? number seconds for the whole call
---@field once? boolean a body reaches the server's program at most once
---@field attempt? integer of the call; 1 when nil

---reused: whether the connection was a kept one, where the transport knows.
---@alias pusher.Parse fun(status: integer, body: string, headers: string, reused?: boolean): any, string?, pusher.Details?

---What every transport has, the caller's own included: send, and optionally the others.
---@class pusher.Transport
---@field send fun(self: any, request: pusher.Request, parse: pusher.Parse, attempts?: table): any, any, any
---@field repeats? boolean whether it makes the attempts of a call by itself
---@field fail? fun(self: any, message: string, details: pusher.Details): any, any, any
---@field step? fun(self: any, seconds?: number): integer?, string?, pusher.Details?
---@field pollfd? fun(self: any): integer?
---@field events? fun(self: any): string?
---@field timeout? fun(self: any): number?
---@field close? fun(self: any)

local transport = {}

---Makes the transport that an option `transport` asks for.
---@param given pusher.Options
---@return pusher.Transport? transport
---@return string message
---@return pusher.Details details
function transport.resolve(given) end

---Makes the result of a call that is refused before it is sent.
---@param chosen pusher.Transport
---@param message string
---@param details pusher.Details
---@return any result
---@return string message
---@return pusher.Details details
function transport.refuse(chosen, message, details) end

return transport
