---@meta pusher.transport.recorder

---@class pusher.RecorderOptions
---@field pendings? boolean calls return pendings; default false
---@field encryption_master_key_base64? string with which events shows encrypted data as plaintext
---@field log? pusher.Log

---@alias pusher.RecorderCode
---| "network" the connection broke
---| "timeout" the deadline passed
---| "tls" the certificate could not be verified
---| "too_large" the response is larger than max_response_bytes
---| "invalid" the request cannot be sent
---| "full" max_pending calls are in flight
---| "closed" the transport is closed
---| "config" the transport cannot send this request

---@class pusher.RecorderResponse a response, or with code a failure
---@field method? string
---@field path? string the end of the request's path, such as /events
---@field times? number how many requests get it; default 1
---@field status? integer
---@field body? string|table without it what a server sends on success, and nothing from status 300 on
---@field headers? string|pusher.Headers
---@field code? pusher.RecorderCode
---@field message? string
---@field sent? boolean

---@class pusher.RecordedRequest
---@field method string
---@field scheme string
---@field host string
---@field port integer
---@field path string without the query
---@field query table<string, string>
---@field headers table<string, string> names in lower case
---@field body? string
---@field json? any the body decoded
---@field timeout? number seconds
---@field status? integer of the response
---@field code? pusher.RecorderCode of the failure

---@class pusher.RecordedEvent
---@field channel? string
---@field user_id? string
---@field name string
---@field data any decoded when it is JSON
---@field socket_id? string
---@field info? string[]
---@field idempotency_key? string
---@field extra? table<string, any>
---@field encrypted? boolean data is the plaintext, or without the key what the server gets
---@field error? string why data could not be decrypted

---@class pusher.transport.Recorder : pusher.Transport
local methods = {}

---Sets the response to one request.
---@param given pusher.RecorderResponse
---@return pusher.transport.Recorder recorder
function methods:respond(given) end

---The requests in the order in which they were sent.
---@return pusher.RecordedRequest[] requests
function methods:requests() end

---The events that were accepted, in order, one for each channel.
---@return pusher.RecordedEvent[] events
function methods:events() end

---Forgets the requests, and the responses that were set.
function methods:reset() end

---Keeps a request, and returns what `parse` makes of the response that was set.
---@param request pusher.Request
---@param parse pusher.Parse
---@param attempts? table
---@return any result
---@return string message
---@return pusher.Details details
function methods:send(request, parse, attempts) end

---Settles the calls in flight; with `pendings`.
---@param seconds? number never waited
---@return integer? in_flight
---@return string message
---@return pusher.Details details
function methods:step(seconds) end

---When to call step; with `pendings`.
---@return number? seconds
function methods:timeout() end

---Ends the recorder.
function methods:close() end

local recorder = {}

---Makes a recorder, to be given as the option `transport`.
---@param given? pusher.RecorderOptions
---@return pusher.transport.Recorder recorder
function recorder.new(given) end

return recorder
