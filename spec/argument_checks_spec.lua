-- What the public calls say about arguments of a wrong type: the position, the name of the call, what it expects and what
-- it got. Values of all kinds: spec/hostile_arguments_spec.lua.

local fake_ngx = require "spec.helpers.fake_ngx"
local fake_transport = require "spec.helpers.fake_transport"
local scripted = require "spec.helpers.scripted"

local SECONDS = { "number or nil" }

-- For each object the calls, and what each argument must be; false is not checked.
local FUNCTIONS = {
  ["pusher"] = { new = { "table" }, from_url = { "string", "table or nil" }, from_env = { "string or nil", "table or nil" } },
  ["pusher.beams"] = { new = { "table" } },
  ["pusher.push"] = { new = { "table or nil" } },
  ["pusher.push.fcm"] = { new = { "table" } },
  ["pusher.push.stdout"] = { new = { "table or nil" } },
  ["pusher.transport.async"] = { new = { "table or nil" } },
  ["pusher.transport.curl"] = { new = { "table or nil" } },
  ["pusher.transport.ngx"] = { new = { "table or nil" } },
  ["pusher.openresty"] = { body = { "number" }, reply = { "number", "string", "string or nil" },
    authorize_channel = { "table", "function", "table or nil" }, authenticate_user = { "table", "function", "table or nil" },
    webhook = { "table", "table", "table or nil" } },
}
local DECIDE = {
  authorize_channel = { "table", "function", "string", "string or nil" },
  authenticate_user = { "table", "function", "string", "string or nil" },
  webhook = { "table", "table", "table or function", "string", "table or nil" },
}
local METHODS = {
  client = {
    trigger = { "string or table", "string", false, "table or nil" }, trigger_batch = { "table" },
    send_to_user = { "string", "string", false, "table or nil" }, terminate_user_connections = { "string" },
    force_reconnect_user = { "string" }, channels = { "table or nil" }, channel = { "string", "table or nil" },
    channel_users = { "string" }, notify = { "table", "table" }, get = { "string", "table or nil" }, post = { "string" },
    build_request = { "string", "string", "table or nil" }, parse_response = { "number", "string", "string, table, function or nil" },
    read_form = { "string", "string or nil" },
    authorize_channel = { "string or table", "table, string or nil" }, authenticate_user = { "string or table", "table or string" },
    webhook = { "table or function", "string", "table or nil" }, publisher = { "table or nil" },
  },
  publisher = { trigger = { "string", "string", false, "table or nil" }, step = { "number or nil" }, flush = SECONDS, close = SECONDS },
  beams = {
    publish_to_interests = { "table", "table" }, publish_to_users = { "table", "table" }, generate_token = { "string" },
    delete_user = { "string" }, webhook = { "table or function", "string" },
  },
  push = { register = { "string" }, init = { "string or table" }, push = { "table" }, step = SECONDS, flush = SECONDS,
    stop = SECONDS },
  fcm = { push = { "table" }, send = { "table" }, step = SECONDS, flush = SECONDS, stop = SECONDS },
  stdout = { push = { "table" } },
  pending = { on_done = { "function" }, wait = { "number or nil" } },
  async = { step = { "number or nil" } },
}
local VALID = { string = "a", table = {}, number = 0, ["function"] = function() end }

describe("the check of arguments of", function()
  local real, client, objects

  setup(function()
    real = rawget(_G, "ngx")
    local pusher = require "pusher"
    local transport = fake_transport.new()
    client = assert(pusher.new { app_id = "1", key = "k", secret = "s", transport = transport })
    objects = {
      client = client, publisher = scripted.new({}):publisher(), push = require("pusher.push").new(),
      beams = require("pusher.beams").new { instance_id = "i", secret_key = "s", webhook_secret = "w", transport = transport },
      fcm = require("pusher.push.fcm").new { devices = function() end }, stdout = require("pusher.push.stdout").new(),
      pending = require("pusher.pending").new { drive = function() end, abandon = function() end },
      async = require("pusher.transport.async").new(),
    }
  end)

  teardown(function()
    objects.async:close()
    rawset(_G, "ngx", real)
  end)

  local function check(label, call, name, expected, first)
    local function message_of(position, value)
      local values = {}
      for index, types in ipairs(expected) do
        values[index] = VALID[(types or "nil"):match("%a+")]
      end
      values[1] = first or values[1]
      values[position] = value
      local ok, message = pcall(call, values[1], values[2], values[3], values[4], values[5])
      return not ok and message:find("bad argument", 1, true) and message:match("bad argument.*") or nil
    end
    for position, types in ipairs(expected) do
      if types then
        local text = ("bad argument #%d to '%s' (%s expected, got %%s)"):format(position, name, types)
        assert.equal(text:format("boolean"), message_of(position, true), label)
        local is_optional = types:find("or nil", 1, true)
        assert.equal(not is_optional and text:format("no value") or nil, message_of(position, nil), label)
      end
    end
  end

  for module, calls in pairs(FUNCTIONS) do
    it(module, function()
      rawset(_G, "ngx", (fake_ngx.new { request = { body = "" } }))
      for name, expected in pairs(calls) do
        check(module .. "." .. name, require(module)[name], name, expected, module == "pusher.openresty" and expected[1] == "table"
          and client or nil)
      end
    end)
  end

  it("pusher.openresty.decide", function()
    for name, expected in pairs(DECIDE) do
      check("decide." .. name, require("pusher.openresty").decide[name], name, expected, client)
    end
  end)

  for object, calls in pairs(METHODS) do
    for name, expected in pairs(calls) do
      it(object .. ":" .. name, function()
        check(object .. "." .. name, function(...)
          return objects[object][name](objects[object], ...)
        end, name, expected)
      end)
    end
  end
end)
