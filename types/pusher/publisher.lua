---@meta pusher.publisher

---@class pusher.PublisherRetry
---@field attempts? integer maximum number of attempts, including the first one; default 6
---@field base? number minimum seconds before the first retry; default 0.1
---@field max? number maximum seconds between two attempts; default 10

---@class pusher.PublisherEvent never its data
---@field channel string
---@field name string
---@field replace? string|number
---@field tag? any

---@class pusher.PublisherResult : pusher.Counts
---@field replaced? boolean whether a newer event has replaced this one

---@alias pusher.OnResult fun(event: pusher.PublisherEvent, result: pusher.PublisherResult?, message: string, details: pusher.Details)

---@class pusher.PublisherOptions
---@field max_queue? integer events that wait; default 10000
---@field overflow? "reject"|"drop_oldest" what a full queue does; default reject
---@field linger? number seconds that a batch which is not full waits; default 0.005
---@field max_in_flight? integer batches; default 8
---@field retry? pusher.PublisherRetry
---@field idempotency? boolean the client's without it
---@field on_result? pusher.OnResult called once for each accepted event
---@field now? pusher.Clock a monotonic clock, in seconds
---@field sleep? fun(seconds: number) for a transport that blocks

---@class pusher.PublisherParams : pusher.TriggerParams
---@field replace? string|number a waiting event of the same channel, name and key is replaced
---@field tag? any passed to on_result

---@class pusher.PublisherStats counts of events, and of calls
---@field accepted integer
---@field queued integer
---@field in_flight integer
---@field sent integer
---@field failed integer
---@field dropped integer
---@field replaced integer
---@field retried integer
---@field calls integer

---@class pusher.Publisher
local publisher = {}

---Accepts an event for sending and returns at once.
---@param channel string
---@param event string its name
---@param data? any a string is sent unchanged, anything else is encoded as JSON
---@param params? pusher.PublisherParams
---@return true? ok
---@return string message
---@return pusher.Details details
function publisher:trigger(channel, event, data, params) end

---Does what can be done now, and drives the transport.
---@param seconds? number how long to wait for the network; default 0
---@return integer? unsettled events
---@return string message
---@return pusher.Details details
function publisher:step(seconds) end

---Sends what waits until everything is settled or the time has passed.
---@param seconds? number default 10
---@return true? ok
---@return string message
---@return pusher.Details details
function publisher:flush(seconds) end

---Refuses new events, flushes, and ends the remaining ones as failed.
---@param seconds? number for the flush; default 10
---@return true? ok
---@return string message
---@return pusher.Details details
function publisher:close(seconds) end

---Counts events, and calls.
---@return pusher.PublisherStats stats
function publisher:stats() end

---Returns the descriptor that is readable when step has something to do.
---@return integer? descriptor
function publisher:pollfd() end

---Returns what to watch the descriptor for.
---@return string? events
function publisher:events() end

---Returns when step should be called next, if nothing happens before.
---@return number? seconds
function publisher:timeout() end
