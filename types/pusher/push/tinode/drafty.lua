---@meta pusher.push.tinode.drafty

local drafty = {}

drafty.MAX_SPANS = 1000
drafty.MAX_BYTES = 262144

---The plain text of a message's content.
---@param content? any nil, a string or a Drafty document
---@return string? text
---@return string message
---@return pusher.Details details
function drafty.to_text(content) end

return drafty
