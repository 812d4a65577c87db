---@meta pusher.push.tinode.timestamp

local timestamp = {}

---Writes a time as RFC 3339.
---@param value string|number RFC 3339 text or Unix seconds
---@return string? text
---@return string message
---@return pusher.Details details
function timestamp.format(value) end

---Writes a time as Go's standard output does.
---@param value string|number
---@return string? text
---@return string message
---@return pusher.Details details
function timestamp.go(value) end

return timestamp
