---@meta pusher.push.tinode.access_mode

local access_mode = {}

---The letters of a mode.
---@param bits integer 0 to 255
---@return string? letters
---@return string message
---@return pusher.Details details
function access_mode.format(bits) end

---The bits of letters.
---@param letters string
---@param bits? integer the mode before; default 0
---@return integer? bits
---@return string message
---@return pusher.Details details
function access_mode.parse(letters, bits) end

---Reads a mode that may be bits or letters.
---@param value integer|string
---@return integer? bits
---@return string message
---@return pusher.Details details
function access_mode.check(value) end

return access_mode
