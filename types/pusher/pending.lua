---@meta pusher.pending

---A call in flight: what each call to the server returns over the async transport.
---@class pusher.Pending<T>
---@field done boolean whether the call has ended
local pending = {}

---Returns the outcome of the call; code `pending` while it is in flight. Never blocks.
---@return T? result
---@return string message
---@return pusher.Details details
function pending:result() end

---Adds a callback, which runs when the call ends, or at once when it has ended.
---@param f fun(result: T?, message: string, details: pusher.Details)
---@return pusher.Pending<T> pending the pending itself
function pending:on_done(f) end

---Drives the transport until the call is done. Blocks.
---@param seconds? number at most; without it, as long as the call's own timeout allows
---@return T? result
---@return string message
---@return pusher.Details details
function pending:wait(seconds) end

---Ends the call now, with code `closed`, unless it is done.
---@return boolean was_in_flight
function pending:cancel() end
