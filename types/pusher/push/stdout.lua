---@meta pusher.push.stdout

---@class pusher.StdoutOptions
---@field write? fun(line: string): any, string? standard output without it
---@field json? pusher.Json
---@field clock? pusher.Clock Unix seconds

---@class pusher.StdoutConfig
---@field enabled? boolean default false
---@field format? "json"|"go" default json

---@class pusher.StdoutHandler
local handler = {}

---Starts the handler.
---@param given pusher.StdoutConfig
---@return true? ok
---@return string message
---@return pusher.Details details
function handler:init(given) end

---Returns whether receipts are accepted.
---@return boolean ready
function handler:is_ready() end

---Prints a receipt.
---@param given pusher.ReceiptInput
---@return true? ok
---@return string message
---@return pusher.Details details
function handler:push(given) end

---Stops the handler; it may be started again.
---@return true ok
function handler:stop() end

---Counts what has been printed.
---@return { printed: integer } stats
function handler:stats() end

local stdout = {}

---Writes a receipt as tinode prints it.
---@param receipt pusher.Receipt?
---@return string text
function stdout.go(receipt) end

---Makes a handler for push.register.
---@param given? pusher.StdoutOptions
---@return pusher.StdoutHandler? handler
---@return string message
---@return pusher.Details details
function stdout.new(given) end

return stdout
