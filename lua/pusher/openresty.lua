--- Ready-made handlers for nginx: channel authorization, sign-in, webhooks.
--
-- Each responds to the current request, in `content_by_lua_block`, and leaves every decision to the application's
-- functions. The pieces that they are made of come first: `body`, `reply`, `decide`.
-- Cross-origin headers and rate limits are nginx's own business (`add_header`, `limit_req`).

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"
local form = require "pusher.channels.form"
local options = require "pusher.base.options"
local reply = require "pusher.openresty.reply"
local subscriber = require "pusher.openresty.subscriber"
local webhook = require "pusher.openresty.webhook"

local openresty = {}

local find = string.find

-- A form with a hundred channel names of full length fits; a webhook is at most a few hundred KB.
local MAX_FORM_BYTES = 64 * 1024
local MAX_HOOK_BYTES = 1024 * 1024
local MAX_BYTES = 2 ^ 31 -- less than that may be allowed

local FORM_OPTIONS = {
  jsonp = { "boolean", default = false },
  max_body_bytes = { "number", default = MAX_FORM_BYTES, min = 1, integer = true },
}
local HOOK_OPTIONS = {
  extra_tokens = { "table" }, -- this and max_age are read by client:webhook
  max_age = { "number" },
  max_body_bytes = { "number", default = MAX_HOOK_BYTES, min = 1, integer = true },
}
local FORM_DEFAULTS, HOOK_DEFAULTS = options.check({}, FORM_OPTIONS), options.check({}, HOOK_OPTIONS)

-- Raises unless the first argument has the method of a client that the function calls.
local function check_client(call, client, method)
  arguments.check(call, 1, client, "table")
  if not arguments.method(client, method) then
    arguments.refuse(call, 1, "client", "another table")
  end
end

-- Only there is a request to respond to.
local function check_nginx(call)
  local api = rawget(_G, "ngx")
  if type(api) ~= "table" or api.config.subsystem ~= "http" then
    arguments.raise(("'%s' works in http {} of nginx only; the functions of `decide` work everywhere"):format(call))
  end
end

-- ---- pieces ----

local function read_body(request)
  request.read_body()
  local data = request.get_body_data()
  return data, not data and request.get_body_file()
end

--- Reads the body of the current request, also when nginx buffered it to a file.
-- @tparam number max_bytes 0 to 2^31 - 1
-- @treturn string|nil body, "" when there is none; nil, and the other two, when it cannot be read
-- @treturn number status: 411, 413 or 500
-- @treturn string message for the log
-- @source ngx_lua: ngx.req.read_body, ngx.req.get_body_data, ngx.req.get_body_file
function openresty.body(max_bytes)
  arguments.check("body", 1, max_bytes, "number")
  check_nginx("body")
  if not (max_bytes >= 0 and max_bytes < MAX_BYTES and max_bytes % 1 == 0) then
    return nil, 500, ("max_bytes must be a whole number from 0 to %.0f, got %s"):format(MAX_BYTES - 1, max_bytes)
  end
  local ok, data, path = pcall(read_body, ngx.req)
  if not ok then
    -- ngx_lua 0.10.26 cannot read an HTTP/2 or HTTP/3 body without Content-Length, and raises. 0.10.25 reads no HTTP/2
    -- body at all; the status is then 500.
    callback.raise_out_of_memory(data)
    local message = callback.text(data)
    return nil, message:find("content-length", 1, true) and 411 or 500, message
  elseif path then
    local file, message = io.open(path, "rb")
    if not file then
      return nil, 500, message
    end
    data = file:read(max_bytes + 1)
    file:close()
  end
  if data and #data > max_bytes then
    return nil, 413, ("the body must have at most %d bytes"):format(max_bytes)
  end
  return data or ""
end

--- Responds to the current request; the response is never cached.
-- @tparam number status 200 to 599
-- @tparam string text JSON
-- @tparam[opt] string jsonp the callback, which wraps the text as JSONP: a plain reference such as `app.receive`
-- @treturn number|nil status
-- @fails invalid; nothing was sent
-- @source ngx_lua: ngx.status, ngx.header, ngx.print
function openresty.reply(status, text, jsonp)
  arguments.check("reply", 1, status, "number")
  arguments.check("reply", 2, text, "string")
  arguments.check("reply", 3, jsonp, "string or nil")
  check_nginx("reply")
  if not (status >= 200 and status <= 599 and status % 1 == 0) then
    return errors.fail("invalid", "status must be a whole number from 200 to 599, got " .. status, { field = "status" })
  elseif jsonp and not reply.is_callback(jsonp) then
    return errors.fail("invalid", "callback must be a plain reference such as app.receive, got "
      .. arguments.show(jsonp), { field = "callback" })
  end
  local headers = ngx.header
  if status ~= 200 then
    ngx.status = status
  end
  if jsonp then
    text = reply.jsonp(jsonp, text)
    headers["Content-Type"] = "application/javascript; charset=utf-8"
    headers["X-Content-Type-Options"] = "nosniff"
  else
    headers["Content-Type"] = "application/json"
  end
  headers["Cache-Control"] = "no-store"
  headers["Content-Length"] = #text
  ngx.print(text)
  return status
end

--- What the handlers decide, without nginx.
openresty.decide = {}

--- Decides what authorize_channel responds, anywhere.
-- @tparam client client
-- @tparam function authorize as for openresty.authorize_channel
-- @tparam string text the form as received
-- @tparam[opt] string content_type JSON or multipart; the form is url-encoded otherwise
-- @treturn number status
-- @treturn string JSON text
-- @treturn string|nil message for the log
-- @source Channels server API: Authorizing users
function openresty.decide.authorize_channel(client, authorize, text, content_type)
  check_client("authorize_channel", client, "authorize_channel")
  arguments.check("authorize_channel", 2, authorize, "function")
  arguments.check("authorize_channel", 3, text, "string")
  arguments.check("authorize_channel", 4, content_type, "string or nil")
  return subscriber.authorize_channel(client, authorize, text, content_type)
end

--- Decides what authenticate_user responds, anywhere.
-- @tparam client client
-- @tparam function identify as for openresty.authenticate_user
-- @tparam string text the form as received
-- @tparam[opt] string content_type JSON or multipart; the form is url-encoded otherwise
-- @treturn number status
-- @treturn string JSON text
-- @treturn string|nil message for the log
-- @source Channels server API: Authenticating users
function openresty.decide.authenticate_user(client, identify, text, content_type)
  check_client("authenticate_user", client, "authenticate_user")
  arguments.check("authenticate_user", 2, identify, "function")
  arguments.check("authenticate_user", 3, text, "string")
  arguments.check("authenticate_user", 4, content_type, "string or nil")
  return subscriber.authenticate_user(client, identify, text, content_type)
end

--- Decides what webhook responds, anywhere, and calls the handlers.
-- @tparam client client
-- @tparam table handlers as for openresty.webhook
-- @tparam table|function headers names in any case, or function(name)
-- @tparam string body the raw bytes as received
-- @tparam[opt] table given `extra_tokens`, `max_age`, as for client:webhook
-- @treturn number status
-- @treturn string JSON text
-- @treturn string|nil message for the log
-- @source Channels webhooks: Webhook format
function openresty.decide.webhook(client, handlers, headers, body, given)
  check_client("webhook", client, "webhook")
  arguments.check("webhook", 2, handlers, "table")
  arguments.check("webhook", 3, headers, "table or function")
  arguments.check("webhook", 4, body, "string")
  arguments.check("webhook", 5, given, "table or nil")
  return webhook.receive(client, handlers, headers, body, given)
end

-- ---- handlers ----

local function finish(handler, jsonp, status, text, message)
  if message then
    -- Messages hold no secret; a line break in one must not forge a line of the log.
    local shown = message:gsub(ascii.CONTROL, " ")
    ngx.log(status >= 500 and ngx.ERR or ngx.INFO, "pusher ", handler, ": ", status, ", ", shown)
  end
  return openresty.reply(status, text, status == 200 and jsonp or nil)
end

local function refuse(handler, status, message, text)
  return finish(handler, nil, status, reply.refusal(status, text), message)
end

-- The body of a POST; or nil and the status of the refusal.
local function read_post(handler, allowed, max_bytes)
  local method = ngx.req.get_method()
  if method ~= "POST" then
    ngx.header["Allow"] = allowed
    return nil, refuse(handler, 405, "method " .. method)
  end
  local text, status, message = openresty.body(max_bytes)
  if not text then
    return nil, refuse(handler, status, message)
  end
  return text
end

-- The form of a POST, or of a JSONP request's query and its callback; or nil and the status of the refusal.
local function read_form(handler, allowed)
  if allowed.jsonp and ngx.req.get_method() == "GET" then
    local query = ngx.var.args or ""
    local fields = form.fields(query)
    if not fields or not reply.is_callback(fields.callback) then
      return nil, refuse(handler, 400, "callback is not valid", "callback is not valid")
    end
    return query, fields.callback
  end
  return read_post(handler, allowed.jsonp and "GET, POST" or "POST", allowed.max_body_bytes)
end

-- Whether a body may have fields as JSON or multipart. To look up the content type costs nginx 6 % of a common request.
local function may_be_other(text)
  return find(text, "{", 1, true) or find(text, "\n", 1, true)
end

-- Responds to a form.
local function respond(handler, client, application, given)
  local allowed, fault = FORM_DEFAULTS, nil
  if given then
    allowed, fault = options.check(given, FORM_OPTIONS)
  end
  if not allowed then
    return refuse(handler, 500, fault)
  end
  local text, jsonp = read_form(handler, allowed)
  if not text then
    return jsonp -- the status
  end
  local content_type = not jsonp and may_be_other(text) and ngx.var.content_type or nil
  local status, json, message = subscriber[handler](client, application, text, content_type)
  if status == 400 and not jsonp and text ~= "" and not form.can_decode(content_type or ngx.var.content_type) then
    return refuse(handler, 415, "other content type")
  end
  return finish(handler, jsonp, status, json, message)
end

--- Responds to subscribers of private, presence and encrypted channels. The body is JSON or multipart by its
-- content type, else url-encoded.
-- One channel (`channel_name`) gets `{"auth":…}`; several (`channel_name[0]`, …) get an object from each name to
-- `{"status":200,"data":{"auth":…}}` or `{"status":403}`.
-- @tparam client client
-- @tparam function authorize (socket_id, channel_name, form) -> a member for a presence channel, true for another; or
--   nil, message (the response is 403; the message is for the log)
-- @tparam[opt] table given `jsonp` = true responds to GET with a callback, too; `max_body_bytes` (64 KiB)
-- @treturn number status of the response
-- @source Channels server API: Authorizing users
function openresty.authorize_channel(client, authorize, given)
  check_client("authorize_channel", client, "authorize_channel")
  arguments.check("authorize_channel", 2, authorize, "function")
  arguments.check("authorize_channel", 3, given, "table or nil")
  check_nginx("authorize_channel")
  return respond("authorize_channel", client, authorize, given)
end

--- Responds to connections that sign in.
-- @tparam client client
-- @tparam function identify (socket_id, form) -> user `{ id =, user_info =, watchlist = }`; or nil, message
-- @tparam[opt] table given options as for authorize_channel
-- @treturn number status of the response
-- @source Channels server API: Authenticating users
function openresty.authenticate_user(client, identify, given)
  check_client("authenticate_user", client, "authenticate_user")
  arguments.check("authenticate_user", 2, identify, "function")
  arguments.check("authenticate_user", 3, given, "table or nil")
  check_nginx("authenticate_user")
  return respond("authenticate_user", client, identify, given)
end

--- Receives webhooks: verified first, then a function is called for each event.
-- @tparam client client
-- @tparam table handlers event name (`member_added`, `channel_vacated`, …) -> function(event, hook); `default` is
--   called for all others. What one raises is logged and makes the sender try again
-- @tparam[opt] table given `extra_tokens`, `max_age` (see client:webhook), `max_body_bytes` (1 MiB)
-- @treturn number status of the response
-- @source Channels webhooks: Webhook format
function openresty.webhook(client, handlers, given)
  check_client("webhook", client, "webhook")
  arguments.check("webhook", 2, handlers, "table")
  arguments.check("webhook", 3, given, "table or nil")
  check_nginx("webhook")
  local allowed, fault = HOOK_DEFAULTS, nil
  if given then
    allowed, fault = options.check(given, HOOK_OPTIONS)
  end
  if not allowed then
    return refuse("webhook", 500, fault)
  end
  local body, refused = read_post("webhook", "POST", allowed.max_body_bytes)
  if not body then
    return refused
  end
  -- All headers: by default only the first hundred count. nginx limits their size.
  return finish("webhook", nil, webhook.receive(client, handlers, ngx.req.get_headers(0), body,
    { extra_tokens = allowed.extra_tokens, max_age = allowed.max_age }))
end

return openresty
