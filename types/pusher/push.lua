---@meta pusher.push

---@class pusher.PushOptions
---@field strict? boolean a configured name that nobody registered is an error; default false
---@field json? pusher.Json
---@field log? pusher.Log
---@field clock? pusher.Clock Unix seconds
---@field now? pusher.Clock a monotonic clock, in seconds

---A table with a function push, and optionally the others. A method fails by returning nil, message, details, or by
---raising.
---@class pusher.Handler
---@field push fun(self: any, receipt: pusher.Receipt): any, string?, pusher.Details?
---@field init? fun(self: any, config: any): any, string?, pusher.Details?
---@field is_ready? fun(self: any): boolean
---@field step? fun(self: any, seconds: number): integer?, string?, pusher.Details?
---@field stop? fun(self: any, seconds: number): any, string?, pusher.Details?
---@field stats? fun(self: any): table

---@class pusher.HandlerStats
---@field ready boolean
---@field pushed integer
---@field dropped integer
---@field refused integer
---@field handler? table its own stats

---@class pusher.HandlerConfig
---@field name string
---@field config? any

---@class pusher.Registry
local registry = {}

---Makes a handler known.
---@param name string
---@param handler pusher.Handler|table raises when it has no push
function registry:register(name, handler) end

---Starts the handlers that a configuration names, in its order.
---@param config string|pusher.HandlerConfig[] decoded or as JSON
---@return true? ok
---@return string message
---@return pusher.Details details
function registry:init(config) end

---Gives a receipt to every handler that is ready. Never blocks.
---@param receipt pusher.ReceiptInput
---@return integer? accepted how many handlers accepted it
---@return string message
---@return pusher.Details details
function registry:push(receipt) end

---Lets the handlers work that need it.
---@param seconds? number the longest it may take; default 0
---@return integer? unsettled
---@return string message
---@return pusher.Details details
function registry:step(seconds) end

---Lets the handlers work until nothing is left.
---@param seconds? number the longest it may take; default 60
---@return true? ok
---@return string message
---@return pusher.Details details
function registry:flush(seconds) end

---Stops all handlers.
---@param seconds? number the longest it may take; default 5
---@return true? ok
---@return string message
---@return pusher.Details details
function registry:stop(seconds) end

---Counts what each handler has been given.
---@return table<string, pusher.HandlerStats> stats
function registry:stats() end

-- The module has the methods of a registry as functions, too.
local push = {}

push.ACT_MSG = "msg"
push.ACT_SUB = "sub"

---Makes a registry.
---@param given? pusher.PushOptions
---@return pusher.Registry? registry
---@return string message
---@return pusher.Details details
function push.new(given) end

---@param name string
---@param handler pusher.Handler|table
function push.register(name, handler) end

---@param config string|pusher.HandlerConfig[]
---@return true? ok
---@return string message
---@return pusher.Details details
function push.init(config) end

---@param receipt pusher.ReceiptInput
---@return integer? accepted
---@return string message
---@return pusher.Details details
function push.push(receipt) end

---@param seconds? number
---@return integer? unsettled
---@return string message
---@return pusher.Details details
function push.step(seconds) end

---@param seconds? number
---@return true? ok
---@return string message
---@return pusher.Details details
function push.flush(seconds) end

---@param seconds? number
---@return true? ok
---@return string message
---@return pusher.Details details
function push.stop(seconds) end

---@return table<string, pusher.HandlerStats> stats
function push.stats() end

return push
