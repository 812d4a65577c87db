local fails = require "spec.helpers.fails"
local http = require "pusher.base.http"
local json = require "pusher.base.json"
local response = require "pusher.channels.response"
local vectors = require "spec.helpers.vectors"

local NOW = 1353088179

local function clock()
  return NOW
end

local function parse(shape, status, body, headers)
  return response.parser(json.new(), clock, shape or response.plain)(status, body, headers or "")
end

local function failure(status, body, headers)
  local result, message, details = parse(nil, status, body, headers)
  assert.is_nil(result)
  assert.equal("string", type(message))
  return message, details
end

describe("pusher.channels.response", function()
  it("makes the parsers of a client, one for each shape, and one for a channel", function()
    local parsers = response.parsers(json.new(), os.time)
    assert.same({ user_count = 1 }, parsers.plain(200, '{"user_count":1}', ""))
    assert.same({}, parsers.published(200, "{}", ""))
    assert.same({ batch = { {} } }, parsers.batch(200, '{"batch":[{}]}', ""))
    assert.same({ channels = {} }, parsers.channels(200, '{"channels":{}}', ""))
    assert.same({ users = {} }, parsers.users(200, '{"users":[]}', ""))
    assert.same({ number_of_subscribers = 3 }, parsers.notified(200, '{"number_of_subscribers":3}', ""))
    assert.same({ name = "c", occupied = true }, response.channel_parser(json.new(), os.time, "c")(200, '{"occupied":true}', ""))
  end)

  it("reads results as the known answers say", function()
    for _, vector in ipairs(vectors.of("response")) do
      local result = parse(nil, vector.inputs.status, vector.inputs.body)
      assert.same(vector.expected.value, result[vector.inputs.member])
    end
  end)

  it("takes the responses of all servers to a trigger", function()
    for _, body in ipairs { "{}", "", '{"ok":true}', "[]", '{"batch":{}}', '{"channels":[]}', ' {} ' } do
      for _, status in ipairs { 200, 201, 202 } do
        assert.same("table", type(parse(response.published, status, body)), body)
        assert.same("table", type(parse(response.batch, status, body)), body)
      end
    end
    assert.same({}, parse(response.published, 202, "202 ACCEPTED\n"))
    assert.same({}, parse(response.published, 200, "1"))
    for _, body in ipairs { "2", "true", '"1"' } do
      assert.is_nil((parse(response.published, 200, body)))
    end
    assert.is_nil((parse(response.plain, 200, "1")))
  end)

  it("gives counts when the server gives them", function()
    assert.same({ channels = { a = { user_count = 3 } } },
      parse(response.published, 200, '{"channels":{"a":{"user_count":3}}}'))
    assert.same({ batch = { { user_count = 3 }, {} } }, parse(response.batch, 200, '{"batch":[{"user_count":3},{}]}'))
    assert.same({ batch = {} }, parse(response.batch, 200, '{"batch":{}}'))
    assert.same({ batch = { {}, {}, { a = 1 } } }, parse(response.batch, 200, '{"batch":[5,null,{"a":1}]}'))
    assert.same({ batch = {} }, parse(response.batch, 200, '{"batch":{"a":5}}'))
    assert.same({ channels = { a = {}, b = {}, c = { user_count = 1 } } },
      parse(response.published, 200, '{"channels":{"a":5,"b":null,"c":{"user_count":1}}}'))
    assert.same({ channels = {} }, parse(response.published, 200, '{"channels":[1]}'))
    assert.same({ event_ids = { a = "x" } }, parse(response.published, 200, '{"event_ids":{"a":"x"}}'))
  end)

  it("takes an empty list for an empty object of channels", function()
    assert.same({ channels = {} }, parse(response.channels, 200, '{"channels":[]}'))
    assert.same({ channels = {} }, parse(response.channels, 200, '{"channels":["a"]}'))
    assert.same({ channels = { a = {}, b = { user_count = 1 } } },
      parse(response.channels, 200, '{"channels":{"a":[],"b":{"user_count":1}}}'))
  end)

  it("gives user ids as strings", function()
    assert.same({ users = { { id = "13" }, { id = "14" } } },
      parse(response.users, 200, '{"users":[{"id":13},{"id":"14"}]}'))
    assert.same({ users = {} }, parse(response.users, 200, '{"users":[]}'))
    assert.same({ users = {} }, response.users { users = { [0] = 0 } }) -- of a codec that keeps the length there
    assert.same({ users = { { id = "1234567890123456789" }, { id = "9007199254740993" } } },
      parse(response.users, 200, '{"users":[{"id":1234567890123456789},{"id":9007199254740993}]}'))
  end)

  it("refuses responses without what was asked for", function()
    for _, case in ipairs { { "has no channels", response.channels, "{}" },
      { "has no channels", response.channels, '{"channels":7}' }, { "has no users", response.users, "{}" },
      { "has no users", response.users, '{"users":{"a":{"id":"1"}}}' },
      { "has a user without an id", response.users, '{"users":[{}]}' },
      { "has a user without an id", response.users, '{"users":[7]}' }, { "is not a JSON object", nil, "garbage" },
      { "is not a JSON object", nil, "7" }, { "is not a JSON object", nil, "<html>" } } do
      local result, message, details = parse(case[2], 200, case[3])
      assert.is_nil(result)
      assert.equal("the server's response " .. case[1], message)
      assert.equal("response", details.code)
      assert.equal(200, details.status)
    end
  end)

  it("finds the error that soketi hides under status 200", function()
    local message, details = failure(200, '{"error":"The secret authentication failed","code":401}')
    assert.equal("unauthorized", details.code)
    assert.equal(401, details.status)
    assert.truthy(message:find("The secret authentication failed", 1, true))
    local _, too_large = failure(200, '{"error":"The event data should be less than 100 KB.","code":413}')
    assert.equal("too_large", too_large.code)
    local _, other = failure(200, '{"error":"no code at all"}')
    assert.equal("server", other.code)
    for code, status in pairs { [399] = 500, [400] = 400, [404.5] = 404, [599] = 599, [600] = 500 } do
      local _, hidden = failure(200, ('{"error":"E","code":%s}'):format(code))
      assert.equal(status, hidden.status)
    end
  end)

  it("maps every status to a code, with the raw body kept", function()
    local expected = {
      [301] = "response", [304] = "response", [400] = "invalid", [401] = "unauthorized", [403] = "forbidden",
      [404] = "not_found", [413] = "too_large", [418] = "invalid", [422] = "invalid", [429] = "rate_limited",
      [500] = "server", [502] = "server", [503] = "server",
    }
    for status, code in pairs(expected) do
      local message, details = failure(status, "plain text of the server\n")
      assert.equal(code, details.code, tostring(status))
      assert.equal(status, details.status)
      assert.equal("plain text of the server\n", details.body)
      assert.equal(code == "server" or code == "rate_limited", details.retryable)
      assert.truthy(message:find(tostring(status), 1, true))
    end
  end)

  it("takes the statuses from 200 to 299 for success, and says that it follows no redirect", function()
    for status, message in pairs { [199] = ": x", [300] = ": redirects are not followed",
      [399] = ": redirects are not followed", [400] = ": x", [999] = ": x" } do
      assert.equal(("the server responded with status %d%s"):format(status, message), (failure(status, "x")))
    end
    for _, status in ipairs { 200, 299 } do
      assert.same({}, parse(nil, status, "{}"))
    end
    assert.equal("the server responded with status 500", (failure(500, "")))
  end)

  it("computes the clock's skew from the text of a 401", function()
    local text = "Timestamp expired: Given timestamp (2012-11-16T17:49:39Z) not within 600s of server time "
      .. "(2012-11-16T18:00:39Z)"
    local _, details = failure(401, text)
    assert.equal("clock", details.code)
    assert.equal(660, details.skew)
    assert.equal("set this machine's clock (NTP); servers accept 600 seconds either way", details.hint)
  end)

  it("computes the clock's skew from the Date header when the text has no times", function()
    local _, details = failure(401, '{"error":"Timestamp expired"}', "date: Fri, 16 Nov 2012 17:59:39 GMT\r\n")
    assert.equal("clock", details.code)
    assert.equal(600, details.skew)
    local _, without = failure(401, "timestamp expired")
    assert.equal("clock", without.code)
    assert.is_nil(without.skew)
  end)

  it("does not take an invalid signature for a clock's fault, nor shows signatures", function()
    local signature = ("a1"):rep(32)
    local text = 'Invalid signature: you should have sent HmacSHA256Hex("POST\\n/apps/3/events\\n'
      .. 'auth_key=k&auth_timestamp=1&auth_version=1.0&body_md5=x", your_secret_key), but you sent "'
    local message, details = failure(401, text .. signature .. '"')
    assert.equal("unauthorized", details.code)
    assert.is_nil(message:find(signature, 1, true))
    assert.is_nil(details.body:find(signature, 1, true))
    assert.equal("check the secret and, behind a path prefix, sign_path_prefix", details.hint)
  end)

  it("hints at app, key and cluster", function()
    local hint = "check app_id, key and cluster (or host and path_prefix): the app is not known there"
    for _, case in ipairs { { 404, "Unknown app" }, { 401, "Unknown auth_key" }, { 401, "Unknown app" },
      { 404, '{"error":"The app ID 3 does not exist","code":404}' },
      { 400, "app key x not in this cluster. Did you forget to specify the cluster?" } } do
      local _, details = failure(case[1], case[2])
      assert.equal(hint, details.hint, case[2])
    end
    for _, case in ipairs { { 400, "Unknown app" }, { 400, "Invalid signature" }, { 412, "" } } do
      local _, details = failure(case[1], case[2])
      assert.is_nil(details.hint, case[2])
    end
  end)

  it("hints at the limit of an event's size", function()
    local _, details = failure(413, "too large")
    assert.equal("the server's limit is below this event's size; see max_payload_kb", details.hint)
  end)

  it("reads the first 4096 bytes of an error's text, and keeps 2048 of the body", function()
    for length, is_read in pairs { [4096] = true, [4097] = false } do
      local text = ("x"):rep(length - #"cluster") .. "cluster"
      local _, details = failure(400, text)
      assert.equal(is_read, details.hint ~= nil)
      assert.equal(text:sub(1, 2048), details.body)
    end
  end)

  it("shows no part of a signature at the end of what it shows", function()
    local text = ("x"):rep(2048 - 10) .. ("a1"):rep(32)
    local _, details = failure(401, text)
    assert.equal(("x"):rep(2038) .. "<signature", details.body)
  end)

  it("shows no signature of a success that is no JSON object, and takes only whole numbers as ids", function()
    local signature = ("a1"):rep(32)
    local _, _, details = response.parser(json.new(), os.time, response.plain)(200, "GET /?auth_signature=" .. signature, "")
    assert.is_nil(details.body:find(signature, 1, true))
    for _, id in ipairs { "1e999", "1.5", "NaN" } do
      assert.is_nil((response.parser(json.new(), os.time, response.users)(200, '{"users":[{"id":' .. id .. "}]}", "")))
    end
  end)

  it("does not blame the app for an unknown channel, user or path", function()
    for _, text in ipairs { "", "{}", "404 page not found" } do
      local _, details = failure(404, text)
      assert.is_nil(details.hint:find("app", 1, true))
      assert.truthy(details.hint:find("channel, user or path", 1, true))
    end
  end)

  it("hints at the secret and sign_path_prefix in the words of all servers", function()
    for _, text in ipairs { "Invalid signature: you should have sent", '{"error":"The secret authentication failed","code":401}',
      "Not authorized", "" } do
      local _, details = failure(401, text)
      assert.truthy(details.hint:find("secret and, behind a path prefix, sign_path_prefix", 1, true), text)
    end
  end)

  it("reads Retry-After in both forms", function()
    local _, details = failure(429, "", "Retry-After: 7\r\n")
    assert.equal(7, details.retry_after)
    _, details = failure(503, "", "retry-after: Fri, 16 Nov 2012 17:49:49 GMT\r\n")
    assert.equal(10, details.retry_after)
    _, details = failure(503, "", "Retry-After: soon\r\n")
    assert.is_nil(details.retry_after)
  end)

  it("keeps hostile texts short and on one line", function()
    local message, details = failure(500, ("x\r\n\27[31m"):rep(100000))
    assert.is_nil(message:find("%c"))
    assert.is_true(#message < 300)
    assert.equal(2048, #details.body)
  end)

  it("reads HTTP dates", function()
    assert.equal(784111777, http.date("Sun, 06 Nov 1994 08:49:37 GMT"))
    assert.equal(951782400, http.date("Tue, 29 Feb 2000 00:00:00 GMT"))
    assert.equal(4102444799, http.date("Thu, 31 Dec 2099 23:59:59 GMT"))
    for _, text in ipairs { "", "x", "Sun, 06 Foo 1994 08:49:37 GMT" } do
      assert.is_nil(http.date(text))
    end
  end)

  it("takes a status that is not a number for a failure", function()
    local result, _, details = parse(response.plain, 0 / 0, "{}", "")
    assert.is_nil(result)
    assert.equal("response", details.code)
  end)

  it("never raises on garbage of any status", function()
    local state = 7
    local function random(limit)
      state = (state * 16807) % 2147483647
      return state % limit
    end
    for _ = 1, 500 do
      local bytes = {}
      for index = 1, random(60) do
        bytes[index] = string.char(random(256))
      end
      local garbage = table.concat(bytes)
      for _, shape in ipairs { response.published, response.channels, response.users } do
        local result, message = parse(shape, 100 + random(500), garbage, garbage)
        assert.is_true(result ~= nil or type(message) == "string")
      end
    end
  end)

  it("says what is wrong with a result", function()
    local function details(body)
      return { code = "response", status = 200, body = body }
    end
    fails("the server's response is not a JSON object", details("["), parse(nil, 200, "["))
    fails("the server's response has no channels", details('{"a":1}'), parse(response.channels, 200, '{"a":1}'))
    fails("the server's response has no users", details('{"a":1}'), parse(response.users, 200, '{"a":1}'))
    fails("the server's response has a user without an id", details('{"users":[{}]}'),
      parse(response.users, 200, '{"users":[{}]}'))
    fails("the server responded with status 302: redirects are not followed",
      { code = "response", status = 302, body = "<html>" }, parse(nil, 302, "<html>"))
    fails("the server responded with status 500", { code = "server", status = 500, body = "" }, parse(nil, 500, ""))
  end)
end)
