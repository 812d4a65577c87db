---@meta pusher.beams

---@class pusher.BeamsOptions : pusher.TransportOptions
---@field instance_id? string
---@field secret_key? string
---@field webhook_secret? string for webhook
---@field base_url? string for tests and relays
---@field transport? "curl"|"async"|"ngx"|pusher.Transport
---@field json? pusher.Json
---@field observe? pusher.Observe called once for each HTTP call
---@field clock? pusher.Clock Unix seconds

---@class pusher.BeamsPublish at least one of apns, fcm and web
---@field apns? table
---@field fcm? table
---@field web? table
---@field webhookUrl? string

---@class pusher.BeamsPublished
---@field publish_id string

---@class pusher.BeamsHook
---@field payload table
---@field metadata { event_type: string }
---@field custom_data? any

---Over the async transport the calls to the server return pendings.
---@class pusher.Beams
local service = {}

---Publishes to all devices that are subscribed to one of the interests.
---@param interests string[] 1 to 100 names
---@param publish pusher.BeamsPublish
---@return pusher.BeamsPublished? result
---@return string message
---@return pusher.Details details
function service:publish_to_interests(interests, publish) end

---Publishes to all devices of users.
---@param users string[] 1 to 1000 ids
---@param publish pusher.BeamsPublish
---@return pusher.BeamsPublished? result
---@return string message
---@return pusher.Details details
function service:publish_to_users(users, publish) end

---Makes the token that ties a device to a user. No I/O.
---@param user_id string
---@return { token: string }? result
---@return string message
---@return pusher.Details details
function service:generate_token(user_id) end

---Deletes a user and all of their devices.
---@param user_id string
---@return table? result
---@return string message
---@return pusher.Details details
function service:delete_user(user_id) end

---Verifies and reads a webhook.
---@param headers pusher.Headers|fun(name: string): any names in any case
---@param body string the raw bytes as received
---@return pusher.BeamsHook? hook
---@return string message
---@return pusher.Details details
function service:webhook(headers, body) end

---Closes the client: secrets are wiped, later calls fail with `closed`.
function service:close() end

local beams = {}

---Makes a Beams client.
---@param given pusher.BeamsOptions
---@return pusher.Beams? service
---@return string message
---@return pusher.Details details
function beams.new(given) end

return beams
