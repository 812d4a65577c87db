local fails = require "spec.helpers.fails"
local response = require "pusher.push.fcm.response"
local cjson = require "cjson"
local json = assert(require("pusher.base.json").new())
local vectors = require("spec.helpers.push_vectors").fcm_v1_errors

local FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"

local parse = response.parser(json, function()
  return 1600000000
end)

local function error_body(status, name, code, extra)
  local details = extra or {}
  if code then
    details[#details + 1] = { ["@type"] = FCM_ERROR, errorCode = code }
  end
  return cjson.encode { error = { code = status, message = "M", status = name, details = details } }
end

local function failure(status, body, headers)
  local result, message, details = parse(status, body, headers or "")
  assert.is_nil(result)
  assert.is_string(message)
  return details, message
end

describe("pusher.push.fcm.response", function()
  it("is the message's name when FCM took it", function()
    assert.are.same({ name = "projects/p/messages/1" }, parse(200, '{"name":"projects/p/messages/1"}', ""))
  end)

  it("is broken when it has no name, and is not asked for again: the message may be out", function()
    for _, body in ipairs { "", "{}", "oops", "[]", "null", '{"name":5}' } do
      local details = failure(200, body)
      assert.are.equal("response", details.code)
      assert.is_false(details.retryable)
    end
  end)

  it("cannot be read with a content encoding", function()
    assert.are.equal("response", failure(200, "\31\139\8\0", "Content-Encoding: gzip\r\n").code)
    local details = failure(503, "\31\139", "Content-Encoding: gzip\r\nRetry-After: 7\r\n")
    assert.are.same({ "server", true, 7 }, { details.code, details.retryable, details.retry_after })
  end)

  describe("known answers", function()
    for _, case in ipairs(vectors.cases) do
      local fcm = case.fcm ~= cjson.null and case.fcm or nil
      it(("%d %s %s"):format(case.http, case.status, tostring(fcm)), function()
        local details = failure(case.http, error_body(case.http, case.status, fcm))
        assert.are.equal(case.token_dead, details.dead == true)
        local once = type(case.retry) == "string" and case.retry:find("^once") ~= nil
        assert.are.equal(once, details.reauth == true)
        assert.are.equal(case.retry ~= false and not once, details.retryable)
      end)
    end
  end)

  local codes = {
    -- FCM's code, HTTP status, our code, retryable, dead
    { "UNSPECIFIED_ERROR", 500, "server", false },
    { "INVALID_ARGUMENT", 400, "invalid", false },
    { "UNREGISTERED", 404, "not_found", false, true },
    { "SENDER_ID_MISMATCH", 403, "forbidden", false },
    { "QUOTA_EXCEEDED", 429, "rate_limited", true },
    { "UNAVAILABLE", 503, "server", true },
    { "INTERNAL", 500, "server", true },
    { "THIRD_PARTY_AUTH_ERROR", 401, "unauthorized", false },
    { "APNS_AUTH_ERROR", 401, "unauthorized", false },
    { "SOMETHING_NEW", 500, "server", true },
    { "SOMETHING_NEW", 418, "response", false },
  }
  for _, case in ipairs(codes) do
    it(("reads %s under %d"):format(case[1], case[2]), function()
      local details, message = failure(case[2], error_body(case[2], "WHATEVER", case[1]))
      assert.are.equal(case[3], details.code)
      assert.are.equal(case[4], details.retryable)
      assert.are.equal(case[5] or false, details.dead == true)
      assert.is_nil(details.reauth)
      assert.are.equal(case[1], details.fcm_code)
      assert.are.equal(case[2], details.status)
      assert.are.equal(("FCM responded with status %d %s: M"):format(case[2], case[1]), message)
    end)
  end

  it("says what to look at where the cause is the project's or the account's", function()
    local denied = "the service account may not send (cloudmessaging.messages.create) or the API is off"
    local credentials = "the APNs or web push credentials of the Firebase project are missing or wrong"
    for _, case in ipairs {
      { 403, error_body(403, "X", "SENDER_ID_MISMATCH"), "the token belongs to another Firebase project" },
      { 401, error_body(401, "X", "THIRD_PARTY_AUTH_ERROR"), credentials },
      { 401, error_body(401, "X", "APNS_AUTH_ERROR"), credentials },
      { 403, error_body(403, "PERMISSION_DENIED"), denied }, { 404, "", "check project_id and fcm_url" },
      { 403, "" }, { 404, error_body(404, "X", "UNREGISTERED") }, { 500, "" },
    } do
      assert.are.equal(case[3], failure(case[1], case[2]).hint)
    end
  end)

  it("knows the error type of 2018, too", function()
    local details = failure(404, cjson.encode { error = { status = "X", details = {
      { ["@type"] = FCM_ERROR .. "Code", errorCode = "UNREGISTERED" } } } })
    assert.is_true(details.dead)
  end)

  it("passes over details of other types", function()
    local details = failure(503, error_body(503, "UNAVAILABLE", nil,
      { { ["@type"] = "type.googleapis.com/google.rpc.Help", errorCode = "UNREGISTERED" }, "x", 5 }))
    assert.is_nil(details.dead)
    assert.is_true(details.retryable)
    for _, extra in ipairs { { { errorCode = "UNREGISTERED" } }, { { ["@type"] = FCM_ERROR, errorCode = 5 } },
      { { ["@type"] = FCM_ERROR, errorCode = "INTERNAL" }, { ["@type"] = FCM_ERROR, errorCode = "UNREGISTERED" } } } do
      details = failure(503, error_body(503, "UNAVAILABLE", nil, extra))
      assert.is_nil(details.dead)
      assert.is_true(details.retryable)
    end
  end)

  it("marks no token as dead for a response that is not FCM's", function()
    for _, body in ipairs { error_body(404, "NOT_FOUND"), "", "<html>not found</html>", "404 page not found",
      '{"error":"not found"}', "[]" } do
      local details = failure(404, body)
      assert.are.equal("not_found", details.code)
      assert.is_nil(details.dead)
      assert.is_false(details.retryable)
    end
  end)

  it("uses the HTTP status when there is nothing else", function()
    for status, expected in pairs { [400] = "invalid", [401] = "unauthorized", [403] = "forbidden", [408] = "timeout",
      [413] = "too_large", [429] = "rate_limited", [500] = "server", [502] = "server", [418] = "response",
      [302] = "response" } do
      local details = failure(status, "<html>")
      assert.are.equal(expected, details.code)
      assert.are.equal(status >= 500 or status == 429 or status == 408, details.retryable)
      assert.are.equal(status == 401, details.reauth == true)
    end
  end)

  it("blames the token only where FCM blames it", function()
    assert.is_nil(failure(400, error_body(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")).dead)
    assert.is_nil(failure(400, error_body(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", { {
      ["@type"] = "type.googleapis.com/google.rpc.BadRequest", fieldViolations = { { field = "message.data[0].value" } },
    } })).dead)
    assert.is_true(failure(400, error_body(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", { {
      ["@type"] = "type.googleapis.com/google.rpc.BadRequest", fieldViolations = { { field = "message.token" } },
    } })).dead)
    assert.is_true(failure(400, cjson.encode { error = { status = "INVALID_ARGUMENT",
      message = "The registration token is not a valid FCM registration token" } }).dead)
  end)

  it("asks nobody to wait longer than an hour", function()
    for _, delay in ipairs { "86400s", "1e9s", ("9"):rep(400) .. "s" } do
      local info = { { ["@type"] = "type.googleapis.com/google.rpc.RetryInfo", retryDelay = delay } }
      local seconds = failure(429, error_body(429, "RESOURCE_EXHAUSTED", nil, info)).retry_after
      assert.is_true(seconds == nil or seconds == 3600)
    end
    local info = { { ["@type"] = "type.googleapis.com/google.rpc.RetryInfo", retryDelay = "86400s" } }
    assert.are.equal(3600, failure(429, error_body(429, "RESOURCE_EXHAUSTED", nil, info)).retry_after)
    assert.are.equal(3600, failure(503, "", "Retry-After: 86400\r\n").retry_after)
  end)

  it("says how long to wait, by header or by RetryInfo", function()
    assert.are.equal(7, failure(503, "", "Retry-After: 7\r\n").retry_after)
    assert.are.equal(30, failure(503, "", "Retry-After: Sun, 13 Sep 2020 12:27:10 GMT\r\n").retry_after)
    local info = { { ["@type"] = "type.googleapis.com/google.rpc.RetryInfo", retryDelay = "30.5s" } }
    assert.are.equal(30.5, failure(429, error_body(429, "RESOURCE_EXHAUSTED", nil, info)).retry_after)
    assert.is_nil(failure(429, error_body(429, "RESOURCE_EXHAUSTED", nil, { { retryDelay = "soon" } })).retry_after)
    assert.is_true(failure(429, "").quota)
  end)

  it("survives any body", function()
    local bodies = { "null", "5", '"x"', "[1]", '{"error":5}', '{"error":[]}', '{"error":{"status":5,"message":{}}}',
      '{"error":{"details":"x"}}', '{"error":{"details":[null,[],{"@type":5},{"fieldViolations":"x"}]}}',
      '{"error":{"details":[{"fieldViolations":[null,5,{}]}],"status":"INVALID_ARGUMENT"}}', ("["):rep(1000), "\0\255" }
    for _, body in ipairs(bodies) do
      for _, status in ipairs { 400, 401, 404, 429, 500, 200 } do
        local details = failure(status, body)
        assert.is_string(details.code)
        assert.is_nil(details.dead)
      end
    end
  end)

  it("keeps to one line", function()
    local _, message = failure(500, cjson.encode { error = { status = "A\r\nB", message = ("x\n"):rep(1000) } })
    assert.is_nil(message:find("[\r\n]"))
    assert.is_true(#message < 500)
  end)

  it("goes by FCM's code, else by the RPC's, whatever the status", function()
    local function meaning(...)
      local details = failure(418, error_body(418, ...))
      return { details.code, details.retryable, details.dead, details.quota, details.reauth }
    end
    for code, expected in pairs {
      UNSPECIFIED_ERROR = { "server", false }, INVALID_ARGUMENT = { "invalid", false },
      UNREGISTERED = { "not_found", false, true }, SENDER_ID_MISMATCH = { "forbidden", false },
      QUOTA_EXCEEDED = { "rate_limited", true, nil, true }, UNAVAILABLE = { "server", true }, INTERNAL = { "server", true },
      THIRD_PARTY_AUTH_ERROR = { "unauthorized", false }, APNS_AUTH_ERROR = { "unauthorized", false },
      SOMETHING_NEW = { "response", false },
    } do
      assert.same(expected, meaning("INTERNAL", code), code)
    end
    for name, expected in pairs {
      INVALID_ARGUMENT = { "invalid", false }, NOT_FOUND = { "not_found", false },
      PERMISSION_DENIED = { "forbidden", false }, RESOURCE_EXHAUSTED = { "rate_limited", true, nil, true },
      UNAVAILABLE = { "server", true }, INTERNAL = { "server", true },
      UNAUTHENTICATED = { "unauthorized", false, nil, nil, true }, SOMETHING_NEW = { "response", false },
    } do
      assert.same(expected, meaning(name), name)
      local details, text = failure(418, error_body(418, name))
      assert.same({ name, "FCM responded with status 418 " .. name .. ": M" }, { details.fcm_code, text })
    end
    for status, expected in pairs {
      [400] = { "invalid", false }, [401] = { "unauthorized", false, nil, nil, true }, [403] = { "forbidden", false },
      [404] = { "not_found", false }, [408] = { "timeout", true }, [413] = { "too_large", false },
      [429] = { "rate_limited", true, nil, true }, [418] = { "response", false }, [499] = { "response", false },
      [500] = { "server", true }, [300] = { "response", false },
    } do
      local details = failure(status, "")
      assert.same(expected, { details.code, details.retryable, details.dead, details.quota, details.reauth }, status)
    end
  end)

  it("says what is wrong, and what to do", function()
    local hints = {
      SENDER_ID_MISMATCH = "the token belongs to another Firebase project",
      THIRD_PARTY_AUTH_ERROR = "the APNs or web push credentials of the Firebase project are missing or wrong",
      APNS_AUTH_ERROR = "the APNs or web push credentials of the Firebase project are missing or wrong",
    }
    for code, hint in pairs(hints) do
      local details, text = failure(403, error_body(403, "PERMISSION_DENIED", code))
      assert.same({ hint, "FCM responded with status 403 " .. code .. ": M" }, { details.hint, text })
    end
    assert.equal("the service account may not send (cloudmessaging.messages.create) or the API is off",
      failure(403, error_body(403, "PERMISSION_DENIED")).hint)
    fails("FCM responded with status 404", { code = "not_found", status = 404, hint = "check project_id and fcm_url" },
      parse(404, "", ""))
    fails("FCM's response has no message name", { code = "response", status = 200 }, parse(200, "{}", ""))
  end)
end)
