---@meta pusher.push.tinode.uid

local uid = {}

uid.BYTES = 8
uid.TEXT_BYTES = 11

---The text of an id given as bytes.
---@param bytes string 8 bytes, little-endian
---@return string? text
---@return string message
---@return pusher.Details details
function uid.encode(bytes) end

---The bytes of an id's text.
---@param text string
---@return string? bytes
---@return string message
---@return pusher.Details details
function uid.decode(text) end

---An id's text as this library writes it.
---@param text string
---@return string? text
---@return string message
---@return pusher.Details details
function uid.canonical(text) end

---The text of an id given as decimal digits.
---@param digits string a number is refused
---@return string? text
---@return string message
---@return pusher.Details details
function uid.from_decimal(digits) end

---The decimal digits of an id.
---@param text string
---@return string? digits
---@return string message
---@return pusher.Details details
function uid.to_decimal(text) end

---The text of an id in base32.
---@param text string
---@return string? text
---@return string message
---@return pusher.Details details
function uid.base32(text) end

---The name of a user in topics: "usr" and the id.
---@param text string
---@return string? name
---@return string message
---@return pusher.Details details
function uid.user_id(text) end

---The id of a user's name.
---@param name string
---@return string? text
---@return string message
---@return pusher.Details details
function uid.parse_user_id(name) end

---The topic of a conversation of two.
---@param a string
---@param b string
---@return string? topic
---@return string message
---@return pusher.Details details
function uid.p2p_name(a, b) end

return uid
