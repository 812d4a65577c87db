--- Ready-made handlers for nginx: channel authorization, sign-in, webhooks.
--
-- Each answers the current request as a whole, in content_by_lua, and leaves what it
-- decides to the application's functions. The pieces that they are made of follow below.
-- Cross-origin headers and rate limits are nginx's own business (add_header, limit_req).

local answer = require "pusher.openresty.reply"
local url = require "pusher.base.url"
local hooks = require "pusher.openresty.webhook"
local subscriber = require "pusher.openresty.subscriber"
local arguments = require "pusher.base.arguments"

local openresty = {}

-- A form with a hundred channel names of full length fits; a webhook is at most a few hundred KB.
local MAX_FORM_BYTES = 64 * 1024
local MAX_HOOK_BYTES = 1024 * 1024

local FORM = "^application/x%-www%-form%-urlencoded%f[^%w%-]"

-- ---- pieces ----

local function read_file(path, max_bytes)
  local file, problem = io.open(path, "rb")
  if not file then
    return nil, 500, problem
  end
  local data = file:read(max_bytes + 1) or ""
  file:close()
  return data
end

--- The body of the current request, also when nginx spooled it to a file.
-- @tparam number max_bytes
-- @treturn string|nil "" when there is none; or nil, a status and what to log
function openresty.body(max_bytes)
  local request = ngx.req
  request.read_body()
  local data = request.get_body_data()
  if not data then
    local path = request.get_body_file()
    if not path then
      return ""
    end
    local status, problem
    data, status, problem = read_file(path, max_bytes)
    if not data then
      return nil, status, problem
    end
  end
  if #data > max_bytes then
    return nil, 413, ("the body is longer than %d bytes"):format(max_bytes)
  end
  return data
end

--- Answers the current request; never cached.
-- @tparam number status
-- @tparam string text JSON
-- @tparam[opt] string callback wraps the text as JSONP; checked before
-- @treturn number status
function openresty.answer(status, text, callback)
  local headers = ngx.header
  if status ~= 200 then
    ngx.status = status
  end
  if callback then
    text = answer.jsonp(callback, text)
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

openresty.authorize = subscriber.authorize
openresty.authenticate = subscriber.authenticate
openresty.receive = hooks.receive

-- ---- handlers ----

local function level_of(status)
  return status >= 500 and ngx.ERR or ngx.INFO
end

-- Messages hold no secret; the log's lines shall stay lines.
local function log(handler, status, problem)
  ngx.log(level_of(status), "pusher ", handler, ": ", status, ", ", (problem:gsub("%c", " ")))
end

local function finish(handler, status, text, problem, callback)
  if problem then
    log(handler, status, problem)
  end
  return openresty.answer(status, text, status == 200 and callback or nil)
end

local function refuse(handler, status, problem)
  return finish(handler, status, answer.refusal(status), problem)
end

local function refuse_method(handler, allowed)
  ngx.header["Allow"] = allowed
  return refuse(handler, 405, "method " .. ngx.req.get_method())
end

-- The form of a POST, or of a JSONP request's query; nil when it was answered already.
local function read_form(handler, options)
  local method = ngx.req.get_method()
  local jsonp = options and options.jsonp
  if method == "GET" and jsonp then
    local query = ngx.var.args or ""
    local callback = url.decode_form(query).callback
    if not answer.is_callback(callback) then
      return nil, finish(handler, 400, answer.refusal(400, "callback is not valid"), "callback is not valid")
    end
    return query, callback
  elseif method ~= "POST" then
    return nil, refuse_method(handler, jsonp and "GET, POST" or "POST")
  end
  local form, status, problem = openresty.body(options and options.max_body_bytes or MAX_FORM_BYTES)
  if not form then
    return nil, refuse(handler, status, problem)
  end
  return form
end

-- What a form came to. The content type is asked for only when the form was not a good one:
-- looking a header up costs nginx about as much as the whole signature.
local function finish_form(handler, form, callback, status, text, problem)
  if status == 400 and not callback and form ~= "" then
    local kind = ngx.var.content_type
    if not kind or not kind:lower():find(FORM) then
      return refuse(handler, 415, "other content type")
    end
  end
  return finish(handler, status, text, problem, callback)
end

--- Answers subscribers to private, presence and encrypted channels.
-- One channel (`channel_name`) gets `{"auth":…}`; several (`channel_name[0]`, …) get an
-- object from each name to `{"status":200,"data":{"auth":…}}` or `{"status":403}`.
-- @tparam client client
-- @tparam function authorize (socket_id, channel_name, form) -> a member for a presence
--   channel, true for another; or nil, reason (403; the reason is for the log)
-- @tparam[opt] table options `jsonp` = true answers GET with a callback, too; `max_body_bytes` (64 KiB)
-- @treturn number the status answered with
function openresty.authorize_channel(client, authorize, options)
  arguments.check("authorize_channel", 1, client, "table")
  arguments.check("authorize_channel", 2, authorize, "function")
  local form, callback = read_form("authorize_channel", options)
  if not form then
    return callback
  end
  return finish_form("authorize_channel", form, callback, subscriber.authorize(client, authorize, form))
end

--- Answers connections that sign in.
-- @tparam client client
-- @tparam function identify (socket_id, form) -> user `{ id =, user_info =, watchlist = }`; or nil, reason
-- @tparam[opt] table options as for authorize_channel
-- @treturn number the status answered with
function openresty.authenticate_user(client, identify, options)
  arguments.check("authenticate_user", 1, client, "table")
  arguments.check("authenticate_user", 2, identify, "function")
  local form, callback = read_form("authenticate_user", options)
  if not form then
    return callback
  end
  return finish_form("authenticate_user", form, callback, subscriber.authenticate(client, identify, form))
end

--- Receives webhooks: verified first, then a function is called for each event.
-- @tparam client client
-- @tparam table handlers event name (`member_added`, `channel_vacated`, …) -> function(event, hook);
--   `default` takes all others. What one raises is logged and makes the sender try again
-- @tparam[opt] table options `extra_tokens`, `max_age` (see client:webhook), `max_body_bytes` (1 MiB)
-- @treturn number the status answered with
function openresty.webhook(client, handlers, options)
  arguments.check("webhook", 1, client, "table")
  arguments.check("webhook", 2, handlers, "table")
  if ngx.req.get_method() ~= "POST" then
    return refuse_method("webhook", "POST")
  end
  options = options or {}
  local body, status, problem = openresty.body(options.max_body_bytes or MAX_HOOK_BYTES)
  if not body then
    return refuse("webhook", status, problem)
  end
  local text
  status, text, problem = hooks.receive(client, handlers, ngx.req.get_headers(), body,
    { extra_tokens = options.extra_tokens, max_age = options.max_age })
  return finish("webhook", status, text, problem)
end

return openresty
