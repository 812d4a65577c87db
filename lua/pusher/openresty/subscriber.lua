--- A subscriber's form and the application's decision in; status and JSON text out. Pure.
--
-- The decision is asked for with checked values only. What it raises, or returns
-- besides a member, true or nil, refuses the subscriber and is told in the log.

local answer = require "pusher.openresty.reply"
local url = require "pusher.base.url"
local core = require "pusher.core"
local validate = require "pusher.channels.validate"

local subscriber = {}

local ok_front, forbidden = '{"status":200,"data":', '{"status":403}'

local read_usual_form, refusal = core.subscriber, answer.refusal

local function bad(text, problem)
  return 400, refusal(400, text), problem or text
end

local function failed(problem)
  return 500, refusal(500), problem
end

-- A member, true or nil from the application, or a failure of it.
local function decide(ask, socket_id, channel, form)
  local ok, decision, reason = pcall(ask, socket_id, channel, form)
  if not ok then
    return nil, 500, "the application raised: " .. tostring(decision)
  elseif not decision then
    return nil, 403, reason ~= nil and "refused: " .. tostring(reason) or "refused"
  elseif decision ~= true and type(decision) ~= "table" and type(decision) ~= "string" then
    return nil, 500, "the application must return a table, a JSON text, true or nil, not a " .. type(decision)
  end
  return decision
end

-- One channel: status and JSON text, or status, nothing and what to log.
local function sign(client, ask, socket_id, channel, first, form, params)
  local member, status, problem = decide(ask, socket_id, channel, form)
  if not member then
    return status, nil, problem
  elseif member == true or first ~= "presence-" then
    member = nil -- only presence channels have members
  end
  local text, message = client:authorize_channel(params, member)
  if not text then
    return 500, nil, message -- the request was checked, so the member or the options are at fault
  end
  return 200, text
end

local function first_word(channel)
  local first = channel:match("^%a+%-")
  return (first == "private-" or first == "presence-") and first or nil
end

-- The channels asked for, and whether they came as a list: `channel_name[]`, `channel_name[0]`, …
local function channel_names(fields)
  local given = fields.channel_name
  local names, total = {}, 0
  for name, value in pairs(fields) do
    local index = name:match("^channel_name%[(%d*)%]$")
    if index then
      local values = type(value) == "table" and value or { value }
      if given or (index ~= "" and values[2]) then
        return nil
      end
      for _, one in ipairs(values) do
        total = total + 1
        names[total] = one
      end
    end
  end
  if total > 0 then
    table.sort(names)
    return total <= validate.MAX_CHANNELS and names or nil, true
  end
  return type(given) == "string" and { given } or nil, false
end

-- The form read with care: a repeated field could have one value checked and the other signed.
local function read_form(form)
  local fields = url.decode_form(form)
  local socket_id = fields.socket_id
  if type(socket_id) ~= "string" or not validate.socket_id(socket_id) then
    return nil, "socket_id is missing, repeated or not valid"
  end
  local names, listed = channel_names(fields)
  if not names then
    return nil, "channel_name is missing, repeated or too many"
  end
  for _, name in ipairs(names) do
    local ok, message = validate.channel(name)
    if not ok then
      return nil, "channel_name is not valid", message
    elseif not first_word(name) then
      return nil, "channel_name needs no authorization"
    end
  end
  return socket_id, names, listed
end

local function answer_list(client, ask, socket_id, names, form)
  local parts, done, problems = {}, {}, {}
  for _, name in ipairs(names) do
    if not done[name] then
      done[name] = true
      local status, text, problem = sign(client, ask, socket_id, name, first_word(name), form,
        { socket_id = socket_id, channel_name = name })
      if status == 500 then
        return failed(problem)
      end
      problems[#problems + 1] = problem and name .. ": " .. problem or nil
      -- A checked name has no character that JSON would escape.
      parts[#parts + 1] = '"' .. name .. '":' .. (text and ok_front .. text .. "}" or forbidden)
    end
  end
  return 200, "{" .. table.concat(parts, ",") .. "}", problems[1] and table.concat(problems, "; ")
end

--- Answers a subscriber to one channel or to several.
-- @tparam client client
-- @tparam function ask authorize(socket_id, channel_name, form) -> member | true | nil, reason
-- @tparam string form url-encoded, as received
-- @treturn number status
-- @treturn string JSON text
-- @treturn string|nil what to log
function subscriber.authorize(client, ask, form)
  local socket_id, names, listed = read_usual_form(form)
  local params, channel, first = form, names, listed
  if not socket_id then
    socket_id, names, listed = read_form(form)
    if not socket_id then
      return bad(names, listed)
    elseif listed then
      return answer_list(client, ask, socket_id, names, form)
    end
    channel = names[1]
    first, params = first_word(channel), { socket_id = socket_id, channel_name = channel }
  elseif first ~= "private-" and first ~= "presence-" then
    return bad("channel_name needs no authorization")
  end
  local status, text, problem = sign(client, ask, socket_id, channel, first, form, params)
  return status, text or refusal(status), problem
end

--- Answers a connection that signs in.
-- @tparam client client
-- @tparam function ask identify(socket_id, form) -> user | nil, reason
-- @tparam string form url-encoded, as received
-- @treturn number status
-- @treturn string JSON text
-- @treturn string|nil what to log
function subscriber.authenticate(client, ask, form)
  local socket_id = url.decode_form(form).socket_id
  if type(socket_id) ~= "string" or not validate.socket_id(socket_id) then
    return bad("socket_id is missing, repeated or not valid")
  end
  local user, status, problem = decide(ask, socket_id, form)
  if user == true then
    return failed("the application must return a user, not true")
  elseif not user then
    return status, refusal(status), problem
  end
  local text, message = client:authenticate_user({ socket_id = socket_id }, user)
  if not text then
    return failed(message)
  end
  return 200, text
end

return subscriber
