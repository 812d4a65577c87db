---@meta pusher.openresty

---@class pusher.FormOptions
---@field jsonp? boolean responds to GET with a callback, too; default false
---@field max_body_bytes? integer default 65536

---@class pusher.HookOptions : pusher.WebhookOptions
---@field max_body_bytes? integer default 1048576

---@alias pusher.Authorize fun(socket_id: string, channel_name: string, form: string): pusher.Member|string|boolean|nil, string?
---@alias pusher.Identify fun(socket_id: string, form: string): pusher.User|string|false|nil, string?
---@alias pusher.HookHandlers table<string, fun(event: pusher.WebhookEvent, hook: pusher.Webhook)>

local openresty = {}

---Reads the body of the current request.
---@param max_bytes integer
---@return string? body
---@return integer status
---@return string message
function openresty.body(max_bytes) end

---Responds to the current request; the response is never cached.
---@param status integer 200 to 599
---@param text string JSON
---@param jsonp? string the callback
---@return integer? status
---@return string message
---@return pusher.Details details
function openresty.reply(status, text, jsonp) end

---What the handlers decide, without nginx.
openresty.decide = {}

---Decides what authorize_channel responds, anywhere.
---@param client pusher.Client
---@param authorize pusher.Authorize
---@param text string the form as received
---@param content_type? string
---@return integer status
---@return string json
---@return string? message for the log
function openresty.decide.authorize_channel(client, authorize, text, content_type) end

---Decides what authenticate_user responds, anywhere.
---@param client pusher.Client
---@param identify pusher.Identify
---@param text string the form as received
---@param content_type? string
---@return integer status
---@return string json
---@return string? message for the log
function openresty.decide.authenticate_user(client, identify, text, content_type) end

---Decides what webhook responds, anywhere, and calls the handlers.
---@param client pusher.Client
---@param handlers pusher.HookHandlers
---@param headers pusher.Headers|fun(name: string): any
---@param body string the raw bytes as received
---@param given? pusher.WebhookOptions
---@return integer status
---@return string json
---@return string? message for the log
function openresty.decide.webhook(client, handlers, headers, body, given) end

---Responds to subscribers of private, presence and encrypted channels.
---@param client pusher.Client
---@param authorize pusher.Authorize a member for a presence channel, true for another; or nil, message
---@param given? pusher.FormOptions
---@return integer status
function openresty.authorize_channel(client, authorize, given) end

---Responds to connections that sign in.
---@param client pusher.Client
---@param identify pusher.Identify a user; or nil, message
---@param given? pusher.FormOptions
---@return integer status
function openresty.authenticate_user(client, identify, given) end

---Receives webhooks: verified first, then a function is called for each event.
---@param client pusher.Client
---@param handlers pusher.HookHandlers by the event's name; `default` for all others
---@param given? pusher.HookOptions
---@return integer status
function openresty.webhook(client, handlers, given) end

return openresty
