---@meta pusher.push.tinode.receipt

---@class pusher.Recipient
---@field delivered integer
---@field devices string[] those on which the user was reached already
---@field unread integer

---@class pusher.RecipientInput
---@field delivered? integer
---@field devices? string[]
---@field unread? integer

---@class pusher.PayloadInput
---@field what "msg"|"sub"|string
---@field silent? boolean
---@field topic? string
---@field ts? string|number RFC 3339 text or Unix seconds
---@field from? string
---@field seq? integer
---@field mime? string
---@field content? any text or a Drafty document
---@field want? string|integer access mode, as letters or bits
---@field given? string|integer access mode, as letters or bits

---@class pusher.Payload
---@field what string
---@field silent boolean
---@field topic string
---@field ts string
---@field from string
---@field seq integer
---@field mime string
---@field content? any
---@field want integer
---@field given integer

---@class pusher.ReceiptInput
---@field to table<string, pusher.RecipientInput> by user id
---@field payload pusher.PayloadInput

---A receipt that has been checked and copied.
---@class pusher.Receipt
---@field to table<string, pusher.Recipient> by user id
---@field payload pusher.Payload

local receipt = {}

receipt.MAX_RECIPIENTS = 10000
receipt.MAX_DEVICES = 1000
receipt.MAX_CONTENT_BYTES = 262144
receipt.MAX_CONTENT_DEPTH = 32

---Checks and copies a receipt.
---@param given pusher.ReceiptInput|pusher.Receipt
---@param now number Unix seconds, for a payload without ts
---@return pusher.Receipt? receipt
---@return string message
---@return pusher.Details details
function receipt.check(given, now) end

---Returns the user ids of a receipt, smallest number first.
---@param checked pusher.Receipt
---@return string[] uids
function receipt.uids(checked) end

---Writes a receipt as JSON.
---@param checked pusher.Receipt
---@param json table
---@return string? line
---@return string message
---@return pusher.Details details
function receipt.encode(checked, json) end

---Reads a receipt from JSON and checks it.
---@param line string
---@param json table
---@param now number Unix seconds, for a payload without ts
---@return pusher.Receipt? receipt
---@return string message
---@return pusher.Details details
function receipt.decode(line, json, now) end

return receipt
