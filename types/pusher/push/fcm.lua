---@meta pusher.push.fcm

---@class pusher.FcmDevice
---@field device_id string
---@field platform? string
---@field kind? string "fid" for a Firebase installation id

---@alias pusher.FcmOutcome "sent"|"skipped"|"unregistered"|"invalid"|"failed"|"closed"

---@class pusher.FcmOptions
---@field devices? fun(uids: string[]): table<string, pusher.FcmDevice[]>?, string?
---@field remove? fun(uid: string, device_id: string): any for dead tokens
---@field on_result? fun(receipt: pusher.Receipt?, device: pusher.FcmDevice?, outcome: pusher.FcmOutcome, message: string?, details: table?)
---@field transport? "curl"|"async"|"ngx"|pusher.Transport
---@field json? pusher.Json
---@field observe? pusher.Observe called once for each HTTP call
---@field log? pusher.Log
---@field clock? pusher.Clock Unix seconds
---@field now? pusher.Clock a monotonic clock, in seconds
---@field sleep? fun(seconds: number) for a transport that blocks
---@field random? pusher.Random for tests
---@field getenv? fun(name: string): string?

---@class pusher.FcmTexts
---@field title_loc_key? string
---@field title? string
---@field body_loc_key? string
---@field body? string "$content" is the message's text
---@field icon? string
---@field icon_color? string #RRGGBB
---@field click_action? string

---@class pusher.FcmAndroid : pusher.FcmTexts
---@field enabled? boolean default false
---@field msg? pusher.FcmTexts
---@field sub? pusher.FcmTexts

---@class pusher.FcmRetry
---@field attempts? integer maximum number of attempts; default 8
---@field base? number minimum seconds before the first retry; default 10
---@field max? number maximum seconds between two attempts; default 600
---@field quota? number seconds after QUOTA_EXCEEDED; default 60
---@field deadline? number seconds after which a message is given up; default 3600

---@class pusher.FcmConfig
---@field enabled? boolean default false
---@field credentials? table|string the service account, as a table or JSON text
---@field credentials_file? string
---@field project_id? string
---@field token_url? string
---@field buffer? integer maximum number of queued receipts; default 32
---@field time_to_live? integer seconds
---@field max_in_flight? integer messages; default 8
---@field token_early? number seconds before its expiry at which an access token is renewed; default 120
---@field validate_only? boolean default false
---@field dry_run? boolean the same as validate_only; default false
---@field fcm_url? string default https://fcm.googleapis.com
---@field retry? pusher.FcmRetry
---@field android? pusher.FcmAndroid
---@field timeout? number seconds for a call; default 10
---@field connect_timeout? number seconds
---@field keepalive? pusher.Keepalive
---@field proxy? string
---@field no_proxy? string
---@field ca_file? string
---@field tls_verify? boolean default true
---@field max_response_bytes? integer default 1048576
---@field max_pending? integer default 10000

---@class pusher.FcmHandler
local handler = {}

---Starts the handler.
---@param given pusher.FcmConfig
---@return true? ok
---@return string message
---@return pusher.Details details
function handler:init(given) end

---Returns whether receipts are accepted.
---@return boolean ready
function handler:is_ready() end

---Puts a receipt into the queue. Never blocks.
---@param receipt pusher.ReceiptInput
---@return true? ok
---@return string message
---@return pusher.Details details
function handler:push(receipt) end

---Puts a message of the caller's own into the queue. Never blocks.
---@param message table see Firebase reference projects.messages
---@return true? ok
---@return string message
---@return pusher.Details details
function handler:send(message) end

---Processes queued receipts and messages.
---@param seconds? number the longest it may take; default 0
---@return integer? unsettled
---@return string message
---@return pusher.Details details
function handler:step(seconds) end

---Works until nothing is left.
---@param seconds? number the longest it may take; default 60
---@return true? ok
---@return string message
---@return pusher.Details details
function handler:flush(seconds) end

---Stops the handler.
---@param seconds? number the longest it may take; default 5
---@return true? ok
---@return string message
---@return pusher.Details details
function handler:stop(seconds) end

---Counts what has been done since init.
---@return table<string, integer> stats
function handler:stats() end

local fcm = {}

---Makes a handler for push.register.
---@param given pusher.FcmOptions
---@return pusher.FcmHandler? handler
---@return string message
---@return pusher.Details details
function fcm.new(given) end

return fcm
