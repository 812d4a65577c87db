local account = require "tools.local_server.account"
local cjson = require "cjson"
local credentials = require "pusher.push.fcm.credentials"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local fails = require "spec.helpers.fails"
local json = assert(require("pusher.base.json").new())
local token = require "pusher.push.fcm.token"
local vectors = require("spec.helpers.push_vectors").fcm_oauth

local function loaded()
  return assert(credentials.load({ credentials = account.new() }, function() end, json))
end

-- A keeper whose fetches wait until `deliver` is called, or get the response of `respond` at once.
local function keeper(options)
  local self = { time = vectors.now, asked = {} }
  local function clock()
    return self.time
  end
  local config = { timeout = 10, token_early = options and options.early or 120 }
  self.keeper = token.new({ json = json, clock = clock }, config, loaded(), function(request, parse, done)
    self.asked[#self.asked + 1] = request
    if options and options.respond then
      done(options.respond(parse, #self.asked))
    else
      self.deliver = function(status, body, headers)
        done(parse(status, body, headers or ""))
      end
      self.fail = done
    end
  end)
  return self
end

local function granting(lifetime)
  return function(parse, number)
    return parse(200, cjson.encode { access_token = "token-" .. number, expires_in = lifetime, token_type = "Bearer" }, "")
  end
end

describe("pusher.push.fcm.token", function()
  describe("known answers", function()
    it("the assertion, byte for byte", function()
      assert.are.equal(vectors.assertion, token.assertion(loaded(), vectors.now))
      assert.are.equal(vectors.assertion, token.assertion(loaded(), vectors.now + 0.9))
    end)

    it("the request", function()
      local request = assert(token.request(loaded(), vectors.now, 7))
      assert.are.equal(vectors.token_request.method, request.method)
      assert.are.equal(vectors.token_request.url, request.scheme .. "://" .. request.host .. request.target)
      assert.are.equal(vectors.token_request.body, request.body)
      assert.are.same({ "Content-Type", vectors.token_request.content_type }, request.headers[1])
      assert.are.same({ "Accept-Encoding", "identity" }, request.headers[3])
      assert.are.equal(7, request.timeout)
    end)

    it("when a token is used again", function()
      -- The known answer renews 10 seconds before the end.
      local world = keeper { early = 10, respond = function(parse)
        return parse(200, vectors.token_response.body, "")
      end }
      world.time = vectors.token_response.received_at
      assert.are.equal(vectors.token_response.authorization_header, "Bearer " .. world.keeper:current())
      for _, case in ipairs(vectors.token_response.reuse) do
        local before = #world.asked
        world.time = case.at
        assert.are.equal("ya29.test", world.keeper:current())
        assert.are.equal(case.fresh_fetch, #world.asked > before)
      end
    end)
  end)

  it("verifies with the public key", function()
    local input, signature = token.assertion(loaded(), 1700000000):match("^(.*)%.([^.]*)$")
    assert.is_true(core.rs256_verify(account.public_key, input, core.base64url_decode(signature)))
    local claims = cjson.decode(core.base64url_decode(input:match("%.(.*)$")))
    assert.are.equal(3600, claims.exp - claims.iat)
    assert.are.equal(1700000000 - 10, claims.iat)
  end)

  it("fetches again after a fetch that raised, as when memory is short", function()
    local calls = 0
    local config = { timeout = 10, token_early = 120 }
    local one = token.new({ json = json, clock = function() return 1700000000 end }, config, loaded(), function(_, parse, done)
      calls = calls + 1
      if calls == 1 then
        error("not enough memory", 0)
      end
      done(parse(200, '{"access_token":"t2"}', ""))
    end)
    assert.has_error(function() one:current() end, "not enough memory")
    assert.is_false(one:is_fetching())
    assert.are.equal("t2", one:current())
  end)

  it("does not wait after a failure that memory was too short to keep", function()
    local world = keeper { respond = function(parse, number)
      if number == 1 then
        return nil, setmetatable({}, { __concat = function() error("not enough memory", 0) end }), {}
      end
      return parse(200, '{"access_token":"t2"}', "")
    end }
    assert.has_error(function() world.keeper:current() end, "not enough memory")
    assert.are.equal("t2", world.keeper:current())
  end)

  it("forgets the key and the token when it is closed, also one that arrives later", function()
    local world = keeper()
    world.keeper:current()
    world.keeper:close()
    world.deliver(200, '{"access_token":"t1","expires_in":3599}')
    world.time = world.time + 100000
    local text, _, details = world.keeper:current()
    assert.is_nil(text)
    assert.are.equal("closed", details.code)
    assert.are.equal(1, #world.asked)
  end)

  it("fetches once, however many ask", function()
    local world = keeper()
    for _ = 1, 10 do
      assert.is_nil((world.keeper:current()))
    end
    assert.is_true(world.keeper:is_fetching())
    world.deliver(200, '{"access_token":"t1","expires_in":3599}')
    for _ = 1, 10 do
      assert.are.equal("t1", world.keeper:current())
    end
    assert.is_false(world.keeper:is_fetching())
    assert.are.equal(1, #world.asked)
  end)

  it("renews early, and lets the old token serve meanwhile", function()
    local world = keeper()
    world.keeper:current()
    world.deliver(200, '{"access_token":"t1","expires_in":3599}')
    world.time = vectors.now + 3599 - 120
    assert.are.equal("t1", world.keeper:current())
    assert.are.equal(1, #world.asked)
    world.time = vectors.now + 3599 - 119
    assert.are.equal("t1", world.keeper:current())
    assert.are.equal("t1", world.keeper:current())
    assert.are.equal(2, #world.asked)
    world.deliver(200, '{"access_token":"t2","expires_in":3599}')
    assert.are.equal("t2", world.keeper:current())
  end)

  it("keeps the old token when a renewal fails, until it ends", function()
    local world = keeper()
    world.keeper:current()
    world.deliver(200, '{"access_token":"t1","expires_in":3599}')
    world.time = vectors.now + 3500
    world.keeper:current()
    world.deliver(503, "")
    assert.are.equal("t1", world.keeper:current())
    assert.are.equal(2, #world.asked)
    world.time = vectors.now + 3511
    assert.are.equal("t1", world.keeper:current())
    assert.are.equal(3, #world.asked)
    world.deliver(503, "")
    world.time = vectors.now + 3589 -- ten seconds before its end
    assert.are.equal("t1", world.keeper:current())
    world.deliver(503, "")
    world.time = vectors.now + 3599
    assert.is_nil((world.keeper:current()))
    world.deliver(503, "")
    local text, message, details = world.keeper:current()
    assert.is_nil(text)
    assert.matches("cannot fetch an access token: the token endpoint responded with status 503", message)
    assert.are.equal("server", details.code)
    assert.is_true(details.retryable)
  end)

  it("renews tokens that live shortly at half their life", function()
    local world = keeper { respond = granting(60) }
    assert.are.equal("token-1", world.keeper:current())
    world.time = vectors.now + 29
    assert.are.equal("token-1", world.keeper:current())
    world.time = vectors.now + 31
    assert.are.equal("token-2", world.keeper:current())
  end)

  it("does not ask again and again after a failure", function()
    local world = keeper { respond = function(parse)
      return parse(400, '{"error":"invalid_grant","error_description":"Invalid JWT Signature."}', "")
    end }
    for _ = 1, 5 do
      local text, message, details = world.keeper:current()
      assert.is_nil(text)
      assert.matches("invalid_grant: Invalid JWT Signature", message)
      assert.are.equal("unauthorized", details.code)
      assert.is_false(details.retryable)
    end
    assert.are.equal(1, #world.asked)
    world.time = world.time + 10
    world.keeper:current()
    assert.are.equal(2, #world.asked)
  end)

  it("waits as long as Retry-After says", function()
    local world = keeper { respond = function(parse)
      return parse(429, "", "Retry-After: 30\r\n")
    end }
    assert.are.equal("rate_limited", select(3, world.keeper:current()).code)
    world.time = world.time + 29
    world.keeper:current()
    assert.are.equal(1, #world.asked)
    world.time = world.time + 1
    world.keeper:current()
    assert.are.equal(2, #world.asked)
  end)

  it("waits an hour at most, whatever the endpoint says", function()
    for _, header in ipairs { "99999999999", ("9"):rep(400), "Fri, 31 Dec 9999 23:59:59 GMT" } do
      local world = keeper { respond = function(parse, number)
        if number == 1 then
          return parse(503, "", "Retry-After: " .. header .. "\r\n")
        end
        return granting(3600)(parse, number)
      end }
      assert.is_nil((world.keeper:current()))
      world.time = world.time + 3599
      assert.is_nil((world.keeper:current()))
      world.time = world.time + 1
      assert.are.equal("token-2", world.keeper:current())
    end
  end)

  it("waits no longer for what a transport says", function()
    for _, asked in ipairs { 1e12, math.huge, 0 / 0, "soon" } do
      local world = keeper { respond = function(parse, number)
        if number == 1 then
          return errors.fail("network", "failure", { retry_after = asked })
        end
        return granting(3600)(parse, number)
      end }
      assert.is_nil((world.keeper:current()))
      world.time = world.time + 3600
      assert.are.equal("token-2", world.keeper:current())
    end
  end)

  it("uses a token for half a minute at least, however short its life is said to be", function()
    for _, lifetime in ipairs { 1e-300, 0.001, 1, 30 } do
      local world = keeper { respond = granting(lifetime) }
      for _ = 1, 3 do
        assert.are.equal("token-1", world.keeper:current())
        world.time = world.time + 10
      end
      assert.equal(1, #world.asked)
    end
  end)

  it("fetches nothing without the time", function()
    local world = keeper()
    world.time = 0 / 0
    fails("the option clock must return Unix seconds", { code = "config", field = "clock" }, world.keeper:current())
    assert.equal(0, #world.asked)
  end)

  it("passes on a failure below HTTP", function()
    local world = keeper()
    world.keeper:current()
    world.fail(errors.fail("network", "connection refused"))
    local _, message, details = world.keeper:current()
    assert.are.equal("cannot fetch an access token: connection refused", message)
    assert.are.equal("network", details.code)
    assert.is_true(details.retryable)
  end)

  describe("reject", function()
    it("fetches a new token, unless there is a newer one already", function()
      local world = keeper { respond = granting(3599) }
      assert.are.equal("token-1", world.keeper:current())
      world.keeper:reject("token-1")
      assert.are.equal("token-2", world.keeper:current())
      world.keeper:reject("token-1")
      assert.are.equal("token-2", world.keeper:current())
      assert.are.equal(2, #world.asked)
    end)

    it("does not fetch tokens for a server that refuses fresh ones", function()
      local world = keeper { respond = granting(3599) }
      world.keeper:reject(world.keeper:current())
      for _ = 1, 5 do
        world.keeper:reject(world.keeper:current())
        assert.are.equal("token-2", world.keeper:current())
      end
      assert.are.equal(2, #world.asked)
      world.time = world.time + 10
      world.keeper:reject("token-2")
      assert.are.equal("token-3", world.keeper:current())
    end)
  end)

  describe("the response", function()
    local now = function()
      return vectors.now
    end
    local parse = token.parser(json, now)

    it("is a token and how long it lives", function()
      assert.are.same({ text = "a.b-c_d~e+f/g=", expires_in = 60 },
        parse(200, '{"access_token":"a.b-c_d~e+f/g=","expires_in":60,"token_type":"bearer"}', ""))
      assert.are.equal(60, parse(200, '{"access_token":"t","expires_in":"60"}', "").expires_in)
    end)

    it("counts an hour when it does not say how long, or something absurd", function()
      for _, lifetime in ipairs { "null", "0", "-1", "1e300", '"soon"', "{}" } do
        assert.are.equal(3600, parse(200, '{"access_token":"t","expires_in":' .. lifetime .. "}", "").expires_in)
      end
    end)

    it("is refused with a content encoding", function()
      local granted, message, details = parse(200, "\31\139\8\0", "Content-Encoding: gzip\r\n")
      assert.is_nil(granted)
      assert.are.equal("response", details.code)
      assert.matches("content encoding gzip", message)
    end)

    local broken = { "", "oops", "null", "[]", "{}", '{"access_token":""}', '{"access_token":5}',
      '{"access_token":"a b"}', '{"access_token":"a\\r\\nX: y"}', '{"access_token":"t","token_type":"mac"}' }
    for _, body in ipairs(broken) do
      it("is refused without a token: " .. body, function()
        local granted, message, details = parse(200, body, "")
        assert.is_nil(granted)
        assert.matches("access token\n?", message .. " access token")
        assert.are.equal("response", details.code)
        assert.is_false(details.retryable)
      end)
    end

    it("says so when the clock is wrong", function()
      local _, message, details = parse(400, cjson.encode { error = "invalid_grant",
        error_description = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe." }, "")
      assert.are.equal("clock", details.code)
      assert.matches("short%-lived", message)
    end)

    it("shows neither token, assertion nor body", function()
      local secret = ("Zm9v"):rep(20)
      local bodies = {
        cjson.encode { error = "bad " .. secret, error_description = "got " .. vectors.assertion .. " and\r\nmore" },
        cjson.encode { access_token = secret, error = { secret } },
        secret,
      }
      for _, status in ipairs { 400, 401, 500, 302, 200 } do
        for _, body in ipairs(bodies) do
          local granted, message, details = parse(status, body, "X-Echo: " .. secret .. "\r\n")
          if granted == nil then
            local shown = message .. cjson.encode(details)
            assert.is_nil(shown:find(secret, 1, true))
            assert.is_nil(shown:find(vectors.assertion:sub(1, 60), 1, true))
            assert.is_nil(message:find("[\r\n]"))
          end
        end
      end
    end)

    it("has a code for each status", function()
      for status, code in pairs { [400] = "unauthorized", [401] = "unauthorized", [403] = "unauthorized",
        [404] = "unauthorized", [429] = "rate_limited", [500] = "server", [503] = "server", [302] = "unauthorized" } do
        assert.are.equal(code, select(3, parse(status, "", "")).code)
      end
    end)
  end)

  it("shows nothing of itself", function()
    local world = keeper { respond = granting(3599) }
    world.keeper:current()
    assert.are.equal("pusher.push.fcm.token", tostring(world.keeper))
  end)

  it("says what is wrong", function()
    local parse = token.parser(json, function() return vectors.now end)
    fails("the token endpoint returned no valid access token", { code = "response", status = 200 }, parse(200, "{}", ""))
    fails("the token endpoint returned an unsupported token_type (expected Bearer)", { code = "response", status = 200 },
      parse(200, '{"access_token":"x","token_type":"MAC"}', ""))
    fails("the token endpoint responded with status 400: a: b", { code = "unauthorized", status = 400 },
      parse(400, '{"error":"a","error_description":"b"}', ""))
    fails("the token endpoint responded with status 500", { code = "server", status = 500 }, parse(500, "", ""))
    local one = loaded()
    for short_of_memory, code in pairs { [false] = "config", [true] = "network" } do
      one.sign = function()
        return nil, "no", short_of_memory
      end
      fails("cannot sign with the service account's key: no", { code = code, retryable = short_of_memory },
        token.assertion(one, 0))
    end
    local self = keeper { respond = function() return errors.fail("server", "it failed") end }
    fails("cannot fetch an access token: it failed", { code = "server" }, self.keeper:current())
  end)

  it("asks again ten seconds after a failure, or when the server says", function()
    for retry_after, seconds in pairs { [3] = 10, [30] = 30, [-1] = 10 } do
      local self = keeper { respond = function()
        return errors.fail("server", "it failed", { retry_after = retry_after >= 0 and retry_after or nil })
      end }
      self.keeper:current()
      self.time = self.time + seconds - 0.01
      self.keeper:current()
      assert.equal(1, #self.asked)
      self.time = self.time + 0.01
      self.keeper:current()
      assert.equal(2, #self.asked)
    end
  end)
end)
