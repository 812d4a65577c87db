-- FCM and Beams over the wire: the local push server verifies assertions with the account's public key and checks
-- the form of every message. The same over nginx's cosockets: spec/system/nginx/push_check.lua.

local beams = require "pusher.beams"
local fcm = require "pusher.push.fcm"
local push = require "pusher.push"
local push_server = require "tools.local_server.push"
local uid = require "pusher.push.tinode.uid"

local ANN = "CAcGBQQDAgE"
local SETTINGS = {
  time_to_live = 3600, max_in_flight = 16,
  android = { enabled = true, title = "T", body = "$content", icon = "ic", icon_color = "#3949AB",
    click_action = ".MessageActivity", msg = { title_loc_key = "new_message" }, sub = { title_loc_key = "new_chat" } },
}

local server

setup(function()
  server = push_server.start()
end)

teardown(function()
  server:stop()
end)

before_each(function()
  server:reset()
end)

local function device_list(count, platform)
  local list = {}
  for index = 1, count do
    list[index] = { device_id = ("token-%d"):format(index), platform = platform or ({ "android", "ios", "web" })[index % 3 + 1] }
  end
  return list
end

-- A registry with an FCM handler that sends to the local server, and the outcomes of its devices.
local function started(transport, devices, changes, options)
  local reported = { outcomes = {}, by_device = {}, seen = {}, removed = {}, logged = {} }
  local given = {
    transport = transport,
    devices = type(devices) == "function" and devices or function()
      return { [ANN] = devices }
    end,
    remove = function(user, device_id)
      reported.removed[#reported.removed + 1] = user .. " " .. device_id
      return true
    end,
    on_result = function(given_receipt, device, outcome, message, details)
      assert(device, message)
      local seen = reported.seen[given_receipt or "by hand"] or {}
      reported.seen[given_receipt or "by hand"] = seen
      assert(not seen[device.device_id], "a second outcome")
      seen[device.device_id] = true
      reported.by_device[device.device_id] = { outcome = outcome, message = message, details = details }
      reported.outcomes[outcome] = (reported.outcomes[outcome] or 0) + 1
    end,
    log = function(level, message)
      reported.logged[#reported.logged + 1] = level .. " " .. message
    end,
  }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  local config = push_server.config(server, SETTINGS)
  for name, value in pairs(changes or {}) do
    config[name] = value
  end
  local registry = assert(push.new())
  local handler = assert(fcm.new(given))
  registry:register("fcm", handler)
  assert(registry:init { { name = "fcm", config = config } })
  return registry, reported, handler
end

local function receipt(payload, to)
  local given = { what = "msg", topic = "grpAbCdEf", from = "usrXXXXXXXXXXX", seq = 42, mime = "text/x-drafty",
    content = { txt = "hello world", fmt = { { at = 0, len = 5, tp = "ST" } } } }
  for name, value in pairs(payload or {}) do
    given[name] = value
  end
  return { to = to or { [ANN] = { unread = 3 } }, payload = given }
end

for _, transport in ipairs { "curl", "async" } do
  describe("FCM over " .. transport, function()
    local registry, reported, handler

    after_each(function()
      registry:stop(0)
    end)

    it("delivers to every platform in a form that FCM takes", function()
      registry, reported, handler = started(transport, device_list(9))
      assert.are.equal(1, registry:push(receipt()))
      assert.are.equal(1, registry:push(receipt { what = "sub", want = "JRW", given = "JRWP", silent = true }))
      assert(registry:flush(10))
      assert.are.same({ sent = 18 }, reported.outcomes)
      local seen = server:inspect()
      assert.are.equal(18, seen.messages)
      assert.are.equal(0, seen.malformed + seen.errors + seen.unauthenticated)
      assert.are.equal(1, seen.tokens)
      local contents = {}
      for _, message in ipairs(server:messages()) do
        contents[message.data.content or message.data.modeWant] = true
      end
      assert.are.same({ ["*hello* world"] = true, JRW = true }, contents)
      assert.are.equal(18, handler:stats().sent)
    end)

    it("handles every error as it should", function()
      local plans = {
        ["token-1"] = { { "UNREGISTERED" }, "unregistered" },
        ["token-2"] = { { "BAD_TOKEN" }, "unregistered" },
        ["token-3"] = { { "INVALID_ARGUMENT" }, "invalid" },
        ["token-4"] = { { "SENDER_ID_MISMATCH" }, "failed" },
        ["token-5"] = { { "THIRD_PARTY_AUTH_ERROR" }, "failed" },
        ["token-6"] = { { "UNSPECIFIED_ERROR" }, "failed" },
        ["token-7"] = { { "QUOTA_EXCEEDED", "UNAVAILABLE", "INTERNAL", "sent" }, "sent" },
        ["token-8"] = { { "UNAUTHENTICATED", "sent" }, "sent" },
        ["token-9"] = { { "UNAUTHENTICATED", "UNAUTHENTICATED" }, "failed" },
        ["token-10"] = { { "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE" }, "failed" },
      }
      for token, plan in pairs(plans) do
        server:plan { token = token, responses = plan[1] }
      end
      registry, reported = started(transport, device_list(12), { retry = { base = 0.001, quota = 0.001, attempts = 3 } })
      server:plan { token = "token-7", responses = { "QUOTA_EXCEEDED", "INTERNAL", "sent" } }
      assert.are.equal(1, registry:push(receipt()))
      assert(registry:flush(10))
      for token, plan in pairs(plans) do
        assert.are.equal(plan[2], reported.by_device[token].outcome, token)
      end
      table.sort(reported.removed)
      assert.are.same({ ANN .. " token-1", ANN .. " token-2" }, reported.removed)
      assert.are.equal(4, reported.outcomes.sent)
      for token, count in pairs(server:delivered().counts) do
        assert.are.equal(1, count, token)
      end
    end)

    it("fetches a new access token when the old one has become worthless", function()
      registry, reported = started(transport, device_list(20))
      assert.are.equal(1, registry:push(receipt()))
      assert(registry:flush(10))
      server:revoke()
      assert.are.equal(1, registry:push(receipt()))
      assert(registry:flush(10))
      assert.are.equal(40, reported.outcomes.sent)
      local seen = server:inspect()
      assert.are.equal(2, seen.tokens)
      assert.is_true(seen.unauthenticated >= 1 and seen.unauthenticated <= 16)
    end)

    it("honours Retry-After", function()
      server:set { retry_after = 60 }
      server:plan { token = "token-1", responses = { "UNAVAILABLE" } }
      registry, reported = started(transport, device_list(2))
      assert.are.equal(1, registry:push(receipt()))
      local tries = 0
      local done, details, _
      repeat -- until the other device has its response, however slow the machine
        tries = tries + 1
        done, _, details = registry:flush(0.05)
      until done or reported.outcomes.sent or tries == 200
      server:set { retry_after = false }
      assert.is_nil(done)
      assert.are.equal("timeout", details.code)
      assert.are.same({ sent = 1 }, reported.outcomes)
      registry:stop(0)
      assert.are.same({ sent = 1, closed = 1 }, reported.outcomes)
    end)

    it("continues after broken connections and invalid responses", function()
      server:misbehave { path = "/v1/", probability = 0.3, seed = 3, modes = { "drop", "reset", "lose_answer",
        { mode = "status", status = 502 }, { mode = "cut", at = "head" }, { mode = "cut", at = "body" },
        { mode = "garbage" }, { mode = "redirect" } } }
      registry, reported = started(transport, device_list(60))
      assert.are.equal(1, registry:push(receipt()))
      assert(registry:flush(20))
      local total = 0
      for _, count in pairs(reported.outcomes) do
        total = total + count
      end
      assert.are.equal(60, total)
      assert.is_true(reported.outcomes.sent >= 30)
    end)

    it("survives a token endpoint that fails", function()
      server:misbehave { path = "/token", mode = "status", status = 503, times = 1, retry_after = 0 }
      local time = os.time() - 1000
      registry, reported = started(transport, device_list(3), { retry = { base = 0.001, max = 0.001, attempts = 50 } }, {
        clock = function()
          time = time + 1 -- so that the pause after a failed fetch is short
          return time
        end,
      })
      assert.are.equal(1, registry:push(receipt()))
      assert(registry:flush(10))
      assert.are.same({ sent = 3 }, reported.outcomes)
      assert.are.equal(1, server:inspect().tokens)
    end)

    it("distinguishes a wrong clock from other refusals", function()
      registry, reported = started(transport, device_list(1), {}, { clock = function()
        return os.time() - 7200
      end })
      assert.are.equal(1, registry:push(receipt()))
      assert(registry:flush(10))
      assert.are.equal("clock", reported.by_device["token-1"].details.code)
      assert.are.equal(0, server:inspect().tokens)
    end)

    it("sends over TLS, and not to a stranger", function()
      registry, reported = started(transport, device_list(2), {
        fcm_url = ("https://localhost:%d"):format(server.tls_port),
        token_url = ("https://localhost:%d/token"):format(server.tls_port),
        ca_file = server.ca_file,
      })
      assert.are.equal(1, registry:push(receipt()))
      assert(registry:flush(10))
      assert.are.same({ sent = 2 }, reported.outcomes)
      registry:stop(0)
      registry, reported = started(transport, device_list(2), {
        fcm_url = ("https://localhost:%d"):format(server.untrusted_port), ca_file = server.ca_file,
      })
      assert.are.equal(1, registry:push(receipt()))
      assert(registry:flush(10))
      assert.are.same({ failed = 2 }, reported.outcomes)
      assert.are.equal("tls", reported.by_device["token-1"].details.code)
    end)

    it("lets FCM check without delivering", function()
      registry, reported = started(transport, device_list(3), { validate_only = true })
      server:plan { token = "token-1", responses = { "UNREGISTERED" } }
      assert.are.equal(1, registry:push(receipt()))
      assert(registry:flush(10))
      assert.are.same({ sent = 2, unregistered = 1 }, reported.outcomes)
      assert.are.equal(0, server:inspect().messages)
      assert.are.same({}, reported.removed)
    end)

    it("sends messages that were made by hand", function()
      registry, reported, handler = started(transport, {})
      assert(handler:send { topic = "news", data = { score = "5" }, apns = { payload = { aps = { badge = 1 } } } })
      assert(handler:send { condition = "'a' in topics", notification = { title = "T" } })
      assert(handler:send { fid = "installation" })
      assert(registry:flush(10))
      assert.are.same({ sent = 3 }, reported.outcomes)
    end)

    -- Receipts with a device each, and as many errors as FCM knows.
    local count = transport == "async" and 10000 or 2000
    it(("ends each of %d devices in exactly one outcome, as the server saw it"):format(count), function()
      server:chance { probability = 0.3, seed = 11, errors = { "UNREGISTERED", "UNAVAILABLE", "INTERNAL", "QUOTA_EXCEEDED",
        "INVALID_ARGUMENT", "SENDER_ID_MISMATCH", "THIRD_PARTY_AUTH_ERROR", "UNSPECIFIED_ERROR", "UNAUTHENTICATED" } }
      registry, reported, handler = started(transport, function(uids)
        return { [uids[1]] = { { device_id = "device-of-" .. uids[1], platform = "android" } } }
      end, { buffer = 200, max_in_flight = 32 })
      for number = 1, count do
        local user = uid.from_decimal(("%d"):format(number))
        local given = receipt({ seq = number }, { [user] = { unread = 1 } })
        while not registry:push(given) do
          registry:step(0.01)
        end
      end
      assert(registry:flush(60))
      local total = 0
      for _, number in pairs(reported.outcomes) do
        total = total + number
      end
      local stats = handler:stats()
      assert.are.equal(count, total)
      assert.are.equal(count, stats.receipts)
      local seen, dead = server:delivered(), 0
      for device, record in pairs(reported.by_device) do
        assert.are.equal(record.outcome == "sent" and 1 or nil, seen.counts[device])
        assert.are.equal(record.outcome == "unregistered" or nil, seen.dead[device])
        dead = dead + (record.outcome == "unregistered" and 1 or 0)
      end
      assert.are.equal(dead, #reported.removed)
      assert.is_true(reported.outcomes.sent > count * 0.7 and dead > count * 0.02 and reported.outcomes.failed > count * 0.05)
      local counts = server:inspect()
      assert.are.equal(0, counts.malformed)
      for _, name in ipairs { "UNREGISTERED", "UNAVAILABLE", "QUOTA_EXCEEDED", "UNAUTHENTICATED" } do
        assert.is_true(counts.by_error[name] > count * 0.02, name)
      end
      assert.are.equal(count, #reported.logged + reported.outcomes.sent)
    end)
  end)
end

describe("Beams over the wire", function()
  local PUBLISH = { fcm = { notification = { title = "Hello", body = "Hello, world" } } }

  local function client(transport, changes)
    local options = { instance_id = server.instance_id, secret_key = server.secret_key, transport = transport,
      base_url = ("http://%s:%d"):format(server.host, server.port) }
    for name, value in pairs(changes or {}) do
      options[name] = value
    end
    return assert(beams.new(options))
  end

  local function finish(result, message, details)
    if type(result) == "table" and result.wait then
      return result:wait(5)
    end
    return result, message, details
  end

  for _, transport in ipairs { "curl", "async" } do
    it("publishes and deletes over " .. transport, function()
      local made = client(transport)
      assert.are.same({ publish_id = "pubid-1" }, finish(made:publish_to_interests({ "hello", "a;b" }, PUBLISH)))
      local users = {}
      for index = 1, 1000 do
        users[index] = "user-" .. index
      end
      assert.are.same({ publish_id = "pubid-2" }, finish(made:publish_to_users(users, PUBLISH)))
      for _, user in ipairs { "u/1", "юзер", "Stop!' said Fred user", "a%2Fb" } do
        assert.are.same({}, finish(made:delete_user(user)))
      end
      local seen = server:beams()
      assert.are.same({ "hello", "a;b" }, seen.publishes[1].interests)
      assert.are.equal(1000, #seen.publishes[2].users)
      assert.are.same(PUBLISH.fcm, seen.publishes[1].fcm)
      assert.are.same({ "u/1", "юзер", "Stop!' said Fred user", "a%2Fb" }, seen.deleted)
      made:close()
    end)

    it("reports what went wrong over " .. transport, function()
      local stranger = client(transport, { secret_key = "wrong" })
      local result, message, details = finish(stranger:publish_to_interests({ "a" }, PUBLISH))
      assert.is_nil(result)
      assert.matches("Unauthorized: Incorrect Secret Key", message)
      assert.are.equal("unauthorized", details.code)
      stranger:close()
      local lost = client(transport, { instance_id = "nobody" })
      assert.are.equal("not_found", select(3, finish(lost:publish_to_users({ "a" }, PUBLISH))).code)
      lost:close()
      local nobody = client(transport, { base_url = "http://127.0.0.1:1" })
      assert.are.equal("network", select(3, finish(nobody:delete_user("a"))).code)
      nobody:close()
    end)
  end
end)
