---@meta pusher.async_client

---A client over the async transport: its calls to the server return pendings.
---@class pusher.AsyncClient : pusher.Client
local client = {}

---Publishes an event to one channel or to as many as 100.
---@param channels string|string[] a name or a list of names
---@param event string its name, 1 to 200 bytes
---@param data? any a string is sent unchanged, anything else is encoded as JSON; none is null
---@param params? pusher.TriggerParams
---@return pusher.Pending<pusher.Published> pending
function client:trigger(channels, event, data, params) end

---Publishes several events, each to one channel, in one call.
---@param events pusher.BatchEvent[]
---@return pusher.Pending<pusher.PublishedBatch> pending
function client:trigger_batch(events) end

---Publishes an event to all connections of one signed-in user.
---@param user_id string 1 to 200 bytes
---@param event string its name, 1 to 200 bytes
---@param data? any as in trigger
---@param params? pusher.UserParams
---@return pusher.Pending<table> pending
function client:send_to_user(user_id, event, data, params) end

---Closes all connections of one signed-in user.
---@param user_id string
---@return pusher.Pending<table> pending
function client:terminate_user_connections(user_id) end

---Makes all connections of one signed-in user reconnect; sockudo only.
---@param user_id string
---@return pusher.Pending<table> pending
function client:force_reconnect_user(user_id) end

---Lists occupied channels.
---@param options? pusher.ChannelsOptions
---@return pusher.Pending<pusher.Channels> pending
function client:channels(options) end

---Reads the state of one channel.
---@param name string
---@param options? pusher.ChannelOptions
---@return pusher.Pending<pusher.Channel> pending
function client:channel(name, options) end

---Lists the users of a presence channel.
---@param name string
---@return pusher.Pending<pusher.ChannelUsers> pending
function client:channel_users(name) end

---Sends a native push notification to all devices subscribed to one of the interests.
---@param interests string[] 1 to 10 names
---@param notification pusher.Notification
---@return pusher.Pending<pusher.Notified> pending
function client:notify(interests, notification) end

---Requests any other endpoint by GET.
---@param path string below /apps/ID, such as /channels
---@param params? table<string, any> query parameters; lists are joined by commas
---@return pusher.Pending<table> pending
function client:get(path, params) end

---Requests any other endpoint by POST.
---@param path string below /apps/ID, such as /events
---@param body? any a string is sent unchanged, anything else is encoded as JSON
---@return pusher.Pending<table> pending
function client:post(path, body) end
