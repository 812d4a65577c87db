-- The bounds of every option that has a range: the smallest and the largest value are accepted, one below, one above
-- and, of a whole number, one in between are refused. The ranges are those that the modules declare.

local client_settings = require "pusher.channels.settings"
local fcm_config = require "pusher.push.fcm.config"
local options = require "pusher.base.options"
local publisher_settings = require "pusher.publisher.settings"

local INT_MAX = 2147483647
local WHOLE = "whole"

local TRANSPORT = {
  timeout = { 0.001, INT_MAX }, connect_timeout = { 0.001, INT_MAX }, ["keepalive.idle"] = { 0, INT_MAX },
  ["keepalive.pool_size"] = { 0, 1000000, WHOLE }, max_response_bytes = { 1, INT_MAX, WHOLE },
  max_pending = { 1, 1000000, WHOLE },
}

local CLIENT = {
  app_id = { 0, 2 ^ 53 - 1, WHOLE }, port = { 1, 65535, WHOLE }, max_payload_kb = { 0.001, INT_MAX },
  max_batch = { 1, INT_MAX, WHOLE }, ["retry.attempts"] = { 1, INT_MAX, WHOLE }, ["retry.base"] = { 0, INT_MAX },
  ["retry.max"] = { 0, INT_MAX },
}

local PUBLISHER = {
  max_queue = { 1, INT_MAX, WHOLE }, linger = { 0, INT_MAX }, max_in_flight = { 1, INT_MAX, WHOLE },
  ["retry.attempts"] = { 1, INT_MAX, WHOLE }, ["retry.base"] = { 0, INT_MAX }, ["retry.max"] = { 0, INT_MAX },
}

local FCM = {
  buffer = { -1000000, 1000000, WHOLE }, time_to_live = { 0, 2419200, WHOLE }, max_in_flight = { 1, 1000, WHOLE },
  timeout = { 0.001, 3600 }, token_early = { 0, 1800 }, ["retry.attempts"] = { 1, 100, WHOLE },
  ["retry.base"] = { 0, 3600 }, ["retry.max"] = { 0, 3600 }, ["retry.quota"] = { 0, 3600 },
  ["retry.deadline"] = { 0, 86400 },
}

local function with_transport(ranges)
  local all = {}
  for name, range in pairs(TRANSPORT) do
    all[name] = ranges[name] or range
  end
  for name, range in pairs(ranges) do
    all[name] = range
  end
  return all
end

-- The options table that gives one value; `name` may be "table.member".
local function given(name, value, base)
  local out = {}
  for key, member in pairs(base or {}) do
    out[key] = member
  end
  local outer, inner = name:match("^(.*)%.(.*)$")
  out[outer or name] = inner and { [inner] = value } or value
  return out
end

local function is_accepted(check, name, value, base)
  local checked, message = check(given(name, value, base))
  return checked ~= nil, ("%s = %.17g: %s"):format(name, value, tostring(message))
end

local function assert_bounds(check, ranges, base)
  for name, range in pairs(ranges) do
    local min, max, whole = range[1], range[2], range[3]
    local below, above = min - (whole and 1 or 0.0001), max + (max < 2 ^ 53 and (whole and 1 or 0.0001) or 2)
    for _, value in ipairs { min, max } do
      assert.is_true(is_accepted(check, name, value, base))
    end
    for _, value in ipairs { below, above, whole and min + 0.5 } do
      assert.is_false(is_accepted(check, name, value, base))
    end
  end
end

-- Every number that is declared.
local function numbers(declared, found, prefix)
  for name, rule in pairs(declared) do
    if rule.fields then
      numbers(rule.fields, found, prefix .. name .. ".")
    elseif rule[1] == "number" or rule[2] == "number" then
      found[prefix .. name] = true
    end
  end
  return found
end

local function assert_complete(declared, ranges)
  local found, listed = numbers(declared, {}, ""), {}
  for name in pairs(ranges) do
    listed[name] = true
  end
  assert.same(found, listed)
end

describe("the range of every option is as it is listed here:", function()
  it("of a transport", function()
    assert_complete(options.TRANSPORT, TRANSPORT)
    assert_bounds(options.transport, TRANSPORT)
  end)

  it("of a client", function()
    local all = with_transport(CLIENT)
    assert_complete(client_settings.DECLARED, all)
    assert_bounds(client_settings.check, all, { app_id = "1", key = "k", secret = "s" })
  end)

  it("of a publisher", function()
    assert_complete(publisher_settings.DECLARED, PUBLISHER)
    assert_bounds(publisher_settings.check, PUBLISHER)
  end)

  it("of the FCM handler", function()
    assert_complete(fcm_config.DECLARED, with_transport(FCM))
    assert_bounds(fcm_config.check, with_transport(FCM))
  end)
end)
