---@meta pusher.client

---@alias pusher.Info string|string[] "user_count", "subscription_count", "cache"
---@alias pusher.Headers table<string, string|number|string[]>

---@class pusher.UserParams
---@field idempotency_key? string|true 1 to 128 bytes; true makes one
---@field extra? table<string, any> further members of the event

---@class pusher.TriggerParams : pusher.UserParams
---@field socket_id? string a connection that does not get the event
---@field info? pusher.Info

---@class pusher.BatchEvent : pusher.TriggerParams
---@field channel string
---@field name string
---@field data? any

---@class pusher.Counts
---@field user_count? integer
---@field subscription_count? integer

---@class pusher.Published
---@field channels? table<string, pusher.Counts> when info was given
---@field event_ids? table<string, string> from servers that give them

---@class pusher.PublishedBatch
---@field batch? pusher.Counts[] when info was given

---@class pusher.ChannelsOptions
---@field filter_by_prefix? string
---@field info? pusher.Info

---@class pusher.ChannelOptions
---@field info? pusher.Info

---@class pusher.Channels
---@field channels table<string, pusher.Counts>

---@class pusher.Channel : pusher.Counts
---@field name string
---@field occupied? boolean
---@field cache? { data: string, ttl: integer }

---@class pusher.ChannelUsers
---@field users { id: string }[]

---@class pusher.Notification at least one of apns, gcm and fcm
---@field apns? table
---@field gcm? table
---@field fcm? table
---@field webhook_url? string
---@field webhook_level? "INFO"|"DEBUG"

---@class pusher.Notified
---@field number_of_subscribers integer

---@class pusher.SignedRequest
---@field method string
---@field url string
---@field scheme "http"|"https"
---@field host string without brackets
---@field port integer
---@field target string path and query, to be sent unchanged
---@field headers [string, string][] names and values
---@field header_map table<string, string> names to values
---@field body? string to be sent unchanged
---@field timeout number seconds

---@class pusher.Member
---@field user_id string
---@field user_info? any

---@class pusher.User
---@field id string
---@field user_info? any
---@field watchlist? string[] at most 100 user ids

---@class pusher.Token
---@field key string
---@field secret string

---@class pusher.WebhookOptions
---@field extra_tokens? pusher.Token[] older keys and secrets
---@field max_age? number seconds

---@class pusher.WebhookEvent
---@field name string
---@field channel? string
---@field event? string of a client event
---@field data? any of a client event; decrypted on an encrypted channel
---@field error? string in place of data that could not be decrypted
---@field user_id? string
---@field socket_id? string

---@class pusher.Webhook
---@field id string the same for each retry of a webhook
---@field time_ms? integer
---@field events pusher.WebhookEvent[]

---@class pusher.Client
local client = {}

---Publishes an event to one channel or to as many as 100.
---@param channels string|string[] a name or a list of names
---@param event string its name, 1 to 200 bytes
---@param data? any a string is sent unchanged, anything else is encoded as JSON; none is null
---@param params? pusher.TriggerParams
---@return pusher.Published? result
---@return string message
---@return pusher.Details details
function client:trigger(channels, event, data, params) end

---Publishes several events, each to one channel, in one call.
---@param events pusher.BatchEvent[]
---@return pusher.PublishedBatch? result
---@return string message
---@return pusher.Details details
function client:trigger_batch(events) end

---Publishes an event to all connections of one signed-in user.
---@param user_id string 1 to 200 bytes
---@param event string its name, 1 to 200 bytes
---@param data? any as in trigger
---@param params? pusher.UserParams
---@return table? result
---@return string message
---@return pusher.Details details
function client:send_to_user(user_id, event, data, params) end

---Closes all connections of one signed-in user.
---@param user_id string
---@return table? result
---@return string message
---@return pusher.Details details
function client:terminate_user_connections(user_id) end

---Makes all connections of one signed-in user reconnect; sockudo only.
---@param user_id string
---@return table? result
---@return string message
---@return pusher.Details details
function client:force_reconnect_user(user_id) end

---Lists occupied channels.
---@param options? pusher.ChannelsOptions
---@return pusher.Channels? result
---@return string message
---@return pusher.Details details
function client:channels(options) end

---Reads the state of one channel.
---@param name string
---@param options? pusher.ChannelOptions
---@return pusher.Channel? result
---@return string message
---@return pusher.Details details
function client:channel(name, options) end

---Lists the users of a presence channel.
---@param name string
---@return pusher.ChannelUsers? result
---@return string message
---@return pusher.Details details
function client:channel_users(name) end

---Sends a native push notification to all devices subscribed to one of the interests.
---@param interests string[] 1 to 10 names
---@param notification pusher.Notification
---@return pusher.Notified? result
---@return string message
---@return pusher.Details details
function client:notify(interests, notification) end

---Requests any other endpoint by GET.
---@param path string below /apps/ID, such as /channels
---@param params? table<string, any> query parameters; lists are joined by commas
---@return table? result
---@return string message
---@return pusher.Details details
function client:get(path, params) end

---Requests any other endpoint by POST.
---@param path string below /apps/ID, such as /events
---@param body? any a string is sent unchanged, anything else is encoded as JSON
---@return table? result
---@return string message
---@return pusher.Details details
function client:post(path, body) end

---Makes a signed request for another HTTP client to send.
---@param method "GET"|"POST"
---@param path string below /apps/ID
---@param params? table<string, any> query parameters
---@param body? any a string is sent unchanged, anything else is encoded as JSON
---@return pusher.SignedRequest? result
---@return string message
---@return pusher.Details details
function client:build_request(method, path, params, body) end

---Reads the response that another HTTP client got for a request of build_request.
---@param status number
---@param body string
---@param headers? string|pusher.Headers|fun(name: string): any
---@return table? result
---@return string message
---@return pusher.Details details
function client:parse_response(status, body, headers) end

---Reads the fields of a subscriber's form.
---@param body string as received
---@param content_type? string url-encoded without it
---@return table<string, any>? result
---@return string message
---@return pusher.Details details
function client:read_form(body, content_type) end

---Authorizes a subscription to a private, presence or encrypted channel.
---@param params string|table<string, any> the form as received, or its fields
---@param member? pusher.Member|string a presence channel needs one; a string is JSON
---@return string? text
---@return string message
---@return pusher.Details details
function client:authorize_channel(params, member) end

---Authenticates a connection that signs in.
---@param params string|table<string, any> the form as received, or its fields
---@param user pusher.User|string a string is JSON
---@return string? text
---@return string message
---@return pusher.Details details
function client:authenticate_user(params, user) end

---Verifies and reads a webhook.
---@param headers pusher.Headers|fun(name: string): any names in any case
---@param body string the raw bytes as received
---@param options? pusher.WebhookOptions
---@return pusher.Webhook? result
---@return string message
---@return pusher.Details details
function client:webhook(headers, body, options) end

---Makes a publisher: events accepted at once, sent in batches in the background.
---@param options? pusher.PublisherOptions
---@return pusher.Publisher? result
---@return string message
---@return pusher.Details details
function client:publisher(options) end

---Closes the client: secrets are wiped, later calls fail with `closed`.
function client:close() end
