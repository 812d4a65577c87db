local cjson = require "cjson"
local fails = require "spec.helpers.fails"
local fake = require "spec.helpers.fake_transport"
local json = require "pusher.base.json"
local known = require("spec.helpers.push_vectors").pusher_notify
local notify = require "pusher.channels.notify"
local pusher = require "pusher"

local PAYLOAD = { fcm = { notification = { title = "t" } } }

local function new(request, transport)
  return assert(pusher.new {
    app_id = request.app_id, key = request.key, secret = request.secret, secure = request.secure,
    cluster = request.cluster ~= "" and request.cluster or nil,
    push_notification_host = request.host, transport = transport,
    clock = function()
      return tonumber(request.timestamp)
    end,
  })
end

local function query_fields(query)
  local fields = {}
  for name, value in query:gmatch("([^&=]+)=([^&]*)") do
    fields[name] = value
  end
  return fields
end

local function refused(field, body, message, details)
  assert.is_nil(body)
  assert.equal("string", type(message))
  assert.equal("invalid", details.code)
  assert.equal(field, details.field)
end

describe("pusher.channels.notify", function()
  it("builds the bodies that Go v1.3.0 builds", function()
    assert.is_true(#known.requests > 0)
    for _, request in ipairs(known.requests) do
      local expected = cjson.decode(request.body)
      local notification = { webhook_url = expected.webhook_url, apns = expected.apns, gcm = expected.gcm, fcm = expected.fcm }
      local transport = fake.new(202, '{"number_of_subscribers":10}')
      assert.same({ number_of_subscribers = 10 }, new(request, transport):notify(expected.interests, notification))
      assert.same(expected, cjson.decode(transport.last.body))
      -- Members of payloads may stand in any order, the outer ones stand in Go's.
      local order = {}
      for name in transport.last.body:gmatch('[{,]"([%a_]+)":') do
        order[#order + 1] = expected[name] and name or nil
      end
      assert.equal("interests", order[1])
    end
  end)

  it("addresses and signs as Go v1.3.0 does", function()
    for _, request in ipairs(known.requests) do
      local transport = fake.new()
      local client = new(request, transport)
      client:notify({ "x" }, PAYLOAD)
      local scheme, host = request.url:match("^(%a+)://([^/]+)/")
      local shown = transport.last.host .. (host:find(":") and ":" .. transport.last.port or "")
      assert.equal(scheme, transport.last.scheme)
      assert.equal(host, shown)
      -- The signature over the very bytes of Go's body.
      local requests = require "pusher.channels.request"
      local core = require "pusher.core"
      local build = requests.builder({
        key = request.key, mac = core.mac(request.secret), api = { path = request.path },
        clock = function()
          return tonumber(request.timestamp)
        end,
      }, "1")
      local target = build("POST", "", nil, request.body).target
      assert.same(query_fields(request.url:match("%?(.*)")), query_fields(target:match("%?(.*)")))
      assert.equal(request.path, transport.last.target:match("^[^?]*"))
    end
  end)

  it("refuses what Go v1.3.0 refuses; the host has a default here", function()
    local codec = json.new()
    for _, case in ipairs(known.validation) do
      local interests = {}
      for index = 1, case.interests do
        interests[index] = "i" .. index
      end
      local body, _, details = notify.body(codec, interests, case.payload and PAYLOAD or {})
      if case.host then
        assert.is_nil(body, case.error)
        assert.equal("invalid", details.code)
      else
        assert.truthy(body)
      end
    end
  end)

  it("refuses interests and members that mean nothing", function()
    local codec = json.new()
    refused("interests", notify.body(codec, {}, PAYLOAD))
    refused("interests", notify.body(codec, { a = 1 }, PAYLOAD))
    refused("interests", notify.body(codec, { "" }, PAYLOAD))
    refused("interests", notify.body(codec, { 7 }, PAYLOAD))
    refused("interests", notify.body(codec, { "\255" }, PAYLOAD))
    refused("webhook_url", notify.body(codec, { "a" }, { fcm = {}, webhook_url = "http://a b" }))
    refused("webhook_url", notify.body(codec, { "a" }, { fcm = {}, webhook_url = 7 }))
    refused("webhook_level", notify.body(codec, { "a" }, { fcm = {}, webhook_level = "LOUD" }))
    refused("apsn", notify.body(codec, { "a" }, { fcm = {}, apsn = {} }))
    refused(nil, notify.body(codec, { "a" }, { fcm = { f = print } }))
    assert.equal('{"interests":["a"],"webhook_url":"http://x/","webhook_level":"DEBUG","fcm":{"a":1}}',
      (notify.body(codec, { "a" }, { fcm = { a = 1 }, webhook_url = "http://x/", webhook_level = "DEBUG" })))
  end)

  it("accepts any 2xx and reports other responses", function()
    for _, case in ipairs(known.responses) do
      local result, _, details = new(known.requests[1], fake.new(case.status, case.body)):notify({ "a" }, PAYLOAD)
      if case.status == 204 then
        assert.same({ number_of_subscribers = 0 }, result) -- Go fails to decode a response that has no body
      elseif case.number_of_subscribers then
        assert.same({ number_of_subscribers = case.number_of_subscribers }, result)
      else
        assert.is_nil(result)
        assert.equal(case.status, details.status)
      end
    end
    local result = new(known.requests[1], fake.new(200, '{"number_of_subscribers":"many"}')):notify({ "a" }, PAYLOAD)
    assert.is_nil(result)
  end)

  it("uses the documented host over HTTPS by default", function()
    local transport = fake.new()
    local client = assert(pusher.new { app_id = "3", key = "k", secret = "s", cluster = "eu", transport = transport })
    client:notify({ "a" }, PAYLOAD)
    assert.equal("https", transport.last.scheme)
    assert.equal("nativepush-cluster1.pusher.com", transport.last.host)
    assert.equal(443, transport.last.port)
    assert.truthy(transport.last.target:find("^/server_api/v1/apps/3/notifications%?"))
  end)

  it("says what is wrong", function()
    local codec = json.new()
    local function details(field, more)
      return { code = "invalid", field = field, index = more and more.index, limit = more and more.limit }
    end
    fails("interests must be a list of 1 to 10 names, got 0", details("interests", { limit = 10 }),
      notify.body(codec, {}, PAYLOAD))
    fails('interest 2 must be a name in UTF-8, got ""', details("interests", { index = 2 }), notify.body(codec, { "a", "" }, PAYLOAD))
    fails('unknown notification member "x"', details("x"), notify.body(codec, { "a" }, { x = 1 }))
    fails("a notification needs at least one of apns, gcm and fcm", details("notification"), notify.body(codec, { "a" }, {}))
    fails("webhook_url must be a URL as a string, without spaces", details("webhook_url"),
      notify.body(codec, { "a" }, { fcm = {}, webhook_url = "a b" }))
    fails('webhook_level must be "INFO" or "DEBUG", got "info"', details("webhook_level"),
      notify.body(codec, { "a" }, { fcm = {}, webhook_level = "info" }))
    assert.same({ nil, "the server's response has no number_of_subscribers" },
      { notify.result { number_of_subscribers = "1" } })
  end)
end)
