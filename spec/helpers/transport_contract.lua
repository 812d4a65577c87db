--- What every transport must do, as data: one list of cases for curl, async and ngx. It does not use busted, and
-- requests and outcomes can pass between processes as JSON: only `expect` and `before` are code that runs in the spec.
--
-- A case is `{ name =, options =, requests =, before =, expect =, needs = }`:
--   options(server)  -> the transport's options besides contract.OPTIONS; optional
--   requests(server) -> list of request tables, sent with `contract.parse` one after another over ONE transport.
--                       `close_first = true` in a request: the transport is closed before; this field is not sent
--   before(server)   -> prepares the server with commands; optional
--   expect(outcomes, server) -> raises when an outcome is wrong. An outcome is
--                       `{ result =, message =, details =, seconds = }`: what send() returned, and how long it took
--   needs            -> "tls_option" where options name ca_file or tls_verify
--
-- `server` is the handshake of the local Channels server with its commands (tools/local_server.lua).
-- contract.run(case, server, open) does all of it for transports of this process.

local cjson = require "cjson"
local new_request = require "spec.helpers.request"
local time_scale = require "spec.helpers.time_scale"

local contract = {}
local cases = {}
contract.cases = cases

--- Options that every case starts from.
contract.OPTIONS = { timeout = 5 * time_scale, keepalive = { idle = 60, pool_size = 4 } }

--- The `parse` that cases are written for.
function contract.parse(status, body, headers, reused)
  return { status = status, body = body, headers = headers, reused = reused }
end

-- ---- helpers of the cases ----

local function check(condition, text, ...)
  if not condition then
    error(text:format(...), 3)
  end
end

local function describe(outcome)
  local details = outcome.details or {}
  return ("result %s, message %q, code %s, sent %s, after %.3f s"):format(
    outcome.result and "with status " .. tostring(outcome.result.status) or "nil",
    tostring(outcome.message), tostring(details.code), tostring(details.sent), outcome.seconds or -1)
end

-- A request to a misbehaving path of the server; `over` replaces fields, `false` removes one.
local function ask(server, path, over)
  local fields = {
    headers = { { "Content-Type", "application/json" }, { "X-Pusher-Library", "pusher-http-lua 0" } },
    body = '{"name":"event"}', timeout = 5 * time_scale,
  }
  for name, value in pairs(over or {}) do
    fields[name] = value
  end
  return new_request(server, path, fields)
end

-- Resolves nowhere, and no name server is asked: the empty label makes it no name at all (RFC 1035 section 2.3.1).
local NO_NAME = "does-not-exist..invalid"
contract.NO_NAME = NO_NAME

-- Requests that are the same for every server.
local function asking(paths, over)
  return function(server)
    local list = {}
    for index, path in ipairs(paths) do
      list[index] = ask(server, path, over)
    end
    return list
  end
end

local function one(path, over)
  return asking({ path }, over)
end

local function responded(outcome, status)
  check(outcome.result and outcome.result.status == status, "expected status %d, got %s", status, describe(outcome))
  return outcome.result
end

local function echo_of(outcome)
  return cjson.decode(responded(outcome, 200).body)
end

-- What a case expects when each of its `count` requests must get its own response.
local function all_echo(count)
  return function(outcomes)
    for index = 1, count do
      echo_of(outcomes[index])
    end
  end
end

-- `sent` = false: the failure must say that nothing was sent; true: it must not say so.
local function failed(outcome, code, sent)
  local details = outcome.details or {}
  check(outcome.result == nil and type(outcome.message) == "string" and details.code == code,
    "expected a failure with code %s, got %s", code, describe(outcome))
  check(not outcome.message:find("[%c\127-\255]"), "unprintable message: %q", outcome.message)
  check(not outcome.message:find("auth_signature", 1, true), "the message shows the query: %s", outcome.message)
  if sent == false then
    check(details.sent == false, "details.sent must be false: %s", describe(outcome))
  elseif sent then
    check(details.sent ~= false, "details.sent must not be false: %s", describe(outcome))
  end
end

local function took(outcome, min, max)
  max = max * time_scale
  check(outcome.seconds >= min and outcome.seconds <= max,
    "expected it to take %g to %g s: %s", min, max, describe(outcome))
end

local function all_fail(count, code, sent)
  return function(outcomes)
    for index = 1, count do
      failed(outcomes[index], code, sent)
    end
  end
end

local function fails_with(code, sent)
  return all_fail(1, code, sent)
end

local function case(name, members)
  members.name = name
  cases[#cases + 1] = members
end

-- ---- responses ----

local DOTS = "/_misbehave/a/../none/./x//y"
local SIGNED = "/_misbehave/none?auth_key=k&auth_signature=0a%2f%2Fb&x=%7e~&dots=/../&empty=&plus=+"

case("sends the request byte for byte and adds only what HTTP needs", {
  requests = one("", { target = SIGNED, headers = { { "Content-Type", "application/json" }, { "X-Case", "AbC, d" },
    { "X-Empty", "" }, { "X-One", "1" } }, body = '{"a":"\\u00e4\\n"}' }),
  expect = function(outcomes, server)
    local echo = echo_of(outcomes[1])
    check(echo.method == "POST" and echo.target == SIGNED, "other request: %s %s", echo.method, echo.target)
    check(echo.body == '{"a":"\\u00e4\\n"}', "other body: %s", echo.body)
    local expected = { ["content-type"] = "application/json", ["x-case"] = "AbC, d", ["x-empty"] = "", ["x-one"] = "1",
      ["content-length"] = "16", [":authority"] = ("%s:%d"):format(server.host, server.port) }
    for _, pair in ipairs(echo.headers) do
      local name, value = pair[1], pair[2]
      check(name:find("^:") and name ~= ":authority" or name == "connection" or expected[name] == value,
        "unexpected header %s: %s", name, value)
      expected[name] = nil
    end
    check(next(expected) == nil, "header %s is missing", tostring(next(expected)))
  end,
})

case("passes whether the connection was a kept one", {
  requests = asking { "/_misbehave/none", "/_misbehave/none" },
  expect = function(outcomes)
    local first, second = responded(outcomes[1], 200).reused, responded(outcomes[2], 200).reused
    check(first == false and second == true, "expected false, then true, got %s, then %s", tostring(first),
      tostring(second))
  end,
})

case("keeps dots in the path", {
  requests = one("", { target = DOTS }),
  expect = function(outcomes)
    check(echo_of(outcomes[1]).target == DOTS, "other target")
  end,
})

case("sends GET without a body and POST with an empty one", {
  requests = function(server)
    return { ask(server, "none", { method = "GET", body = false }), ask(server, "none", { body = "" }),
      ask(server, "none", { body = false }) }
  end,
  expect = function(outcomes)
    local get = echo_of(outcomes[1])
    check(get.method == "GET" and get.body == "", "not a GET without body")
    for _, pair in ipairs(get.headers) do
      check(pair[1] ~= "content-length", "GET carries a Content-Length")
    end
    check(echo_of(outcomes[2]).method == "POST" and echo_of(outcomes[3]).method == "POST", "not a POST")
  end,
})

case("sends a body of 300 KB without Expect: 100-continue", {
  requests = one("none", { body = ("0123456789"):rep(30000) }),
  expect = function(outcomes)
    local echo = echo_of(outcomes[1])
    check(echo.body == ("0123456789"):rep(30000), "the body was changed")
    for _, pair in ipairs(echo.headers) do
      check(pair[1] ~= "expect", "Expect: was sent")
    end
  end,
})

case("returns every status unchanged", {
  requests = function(server)
    local list = {}
    for index, status in ipairs { 202, 400, 401, 403, 404, 413, 429, 500, 503 } do
      list[index] = ask(server, "status?retry_after=7&body=oops&status=" .. status)
    end
    return list
  end,
  expect = function(outcomes)
    for index, status in ipairs { 202, 400, 401, 403, 404, 413, 429, 500, 503 } do
      local result = responded(outcomes[index], status)
      check(result.body == "oops", "other body %q", result.body)
      check(result.headers:lower():find("retry-after: 7\r\n", 1, true), "header lines: %q", result.headers)
      check(not result.headers:find("^HTTP/"), "the status line is not a header")
    end
  end,
})

case("reads chunked responses without their trailers", {
  requests = one("chunked"),
  expect = function(outcomes)
    check(echo_of(outcomes[1]).method == "POST", "not the whole body")
    check(not outcomes[1].result.headers:find("X-Trailer", 1, true), "trailers among the headers")
  end,
})

case("reads a response that ends with the connection", {
  requests = asking { "close_delimited", "close_delimited?http10=1", "none" },
  expect = all_echo(3),
})

case("skips interim responses", {
  requests = asking { "interim?count=3", "interim?status=103" },
  expect = function(outcomes)
    for index = 1, 2 do
      echo_of(outcomes[index])
      check(not outcomes[index].result.headers:find("X-Interim", 1, true), "headers of the interim response")
    end
  end,
})

case("does not follow a redirect", {
  before = function(server)
    server:reset()
  end,
  requests = function(server)
    return { ask(server, "redirect"), ask(server, "redirect?status=307"), ask(server, "redirect?status=301", {
      method = "GET", body = false }) }
  end,
  expect = function(outcomes, server)
    for index, status in ipairs { 302, 307, 301 } do
      check(responded(outcomes[index], status).headers:lower():find("location:", 1, true), "no Location")
    end
    check(server:inspect().landed == 0, "the redirect was followed")
  end,
})

-- ---- no connection ----

case("reports a refused connection", {
  requests = function(server)
    return { ask(server, "none?auth_signature=abc", { port = server.refusing_port }) }
  end,
  expect = function(outcomes, server)
    failed(outcomes[1], "network", false)
    check(outcomes[1].message:find(tostring(server.refusing_port), 1, true), "no port: %s", outcomes[1].message)
  end,
})

case("reports one also after requests on another connection", {
  requests = function(server)
    return { ask(server, "none"), ask(server, "none", { port = server.refusing_port }), ask(server, "none"),
      ask(server, "none", { host = NO_NAME }), ask(server, "hang", { timeout = 0.1 * time_scale }),
      ask(server, "none", { port = server.black_hole_port, timeout = 0.1 }) }
  end,
  expect = function(outcomes)
    echo_of(outcomes[1])
    failed(outcomes[2], "network", false)
    echo_of(outcomes[3])
    failed(outcomes[4], "network", false)
    failed(outcomes[5], "timeout", true)
    failed(outcomes[6], "timeout", false)
  end,
})

case("reports a name that does not resolve", {
  requests = one("none?auth_signature=abc", { host = NO_NAME }),
  expect = fails_with("network", false),
})

case("gives up connecting after connect_timeout", {
  options = function()
    return { connect_timeout = 0.2 }
  end,
  requests = function(server)
    return { ask(server, "none?auth_signature=abc", { port = server.black_hole_port }) }
  end,
  expect = function(outcomes)
    failed(outcomes[1], "timeout", false)
    took(outcomes[1], 0.15, 2)
  end,
})

case("counts connecting into the timeout of the call", {
  requests = function(server)
    return { ask(server, "none", { port = server.black_hole_port, timeout = 0.2 }) }
  end,
  expect = function(outcomes)
    failed(outcomes[1], "timeout", false)
    took(outcomes[1], 0.15, 2)
  end,
})

-- ---- no response, or a bad one ----

case("gives up when no response comes in time", {
  requests = one("hang?auth_signature=abc", { timeout = 0.25 }),
  expect = function(outcomes)
    failed(outcomes[1], "timeout", true)
    took(outcomes[1], 0.2, 2)
  end,
})

case("gives up on a response that trickles in, head or body", {
  requests = asking({ "trickle?ms=50", "trickle?ms=50&part=body" }, { timeout = 0.25 }),
  expect = function(outcomes)
    for index = 1, 2 do
      failed(outcomes[index], "timeout", true)
      took(outcomes[index], 0.2, 2)
    end
  end,
})

case("waits for a slow response that comes in time", {
  requests = asking { "trickle?ms=2&bytes=20", "delay?ms=150" },
  expect = function(outcomes)
    echo_of(outcomes[1])
    echo_of(outcomes[2])
    took(outcomes[2], 0.14, 4)
  end,
})

case("gives up when the server does not read the request", {
  requests = one("stop_reading", { body = ("x"):rep(8 * 1024 * 1024), timeout = 0.5 }),
  expect = function(outcomes)
    failed(outcomes[1], "timeout", true)
  end,
})

case("refuses a body above the limit, however it is framed", {
  options = function()
    return { max_response_bytes = 65536 }
  end,
  requests = asking { "oversize?bytes=65537", "oversize?bytes=1000000&form=chunked",
    "oversize?bytes=65537&form=close", "oversize?bytes=65536", "oversize?bytes=65536&form=chunked" },
  expect = function(outcomes)
    for index = 1, 3 do
      failed(outcomes[index], "too_large", true)
    end
    for index = 4, 5 do
      check(#responded(outcomes[index], 200).body == 65536, "a body of the maximum size must pass")
    end
  end,
})

case("refuses endless header lines", {
  requests = asking { "header_flood", "header_flood?count=1&bytes=80000", "header_flood?count=1&bytes=200000",
    "header_flood?count=100" },
  expect = function(outcomes)
    for index = 1, 3 do
      failed(outcomes[index], "too_large", true)
    end
    responded(outcomes[4], 200)
  end,
})

case("reports a connection that breaks in the middle of the response", {
  requests = asking { "cut", "cut?reset=1", "cut?at=head", "cut?at=head&reset=1", "garbage?form=chunk_end" },
  expect = all_fail(5, "network", true),
})

case("reports a response that is not HTTP", {
  requests = asking { "garbage?form=bytes", "garbage?form=chunk", "garbage?form=chunk_size", "garbage?form=length",
    "garbage?form=negative" },
  expect = all_fail(5, "network", true),
})

case("ends with a result or a failure for a malformed response", {
  requests = function(server)
    local list = {}
    for index, form in ipairs { "status", "version", "header", "lengths" } do
      list[index] = ask(server, "garbage?form=" .. form, { timeout = 2 })
    end
    list[5] = ask(server, "none")
    return list
  end,
  expect = function(outcomes)
    for index = 1, 4 do
      if not outcomes[index].result then
        failed(outcomes[index], outcomes[index].details.code == "timeout" and "timeout" or "network", true)
      end
    end
    echo_of(outcomes[5])
  end,
})

-- ---- kept connections ----

case("keeps the connection for the next request", {
  requests = asking { "none", "status?status=503", "redirect", "none" },
  expect = function(outcomes)
    local first, last = echo_of(outcomes[1]), echo_of(outcomes[4])
    check(first.connection == last.connection, "connection %d, then %d", first.connection, last.connection)
  end,
})

case("opens a new connection when the kept one has been closed", {
  requests = asking { "stale", "none", "stale?reset=1", "none" },
  expect = all_echo(4),
})

case("reconnects once when the kept connection breaks before any byte of a response", {
  requests = function(server)
    return { ask(server, "stale?when=reuse"), ask(server, "none"), ask(server, "stale?when=reuse&reset=1"),
      ask(server, "none"), ask(server, "stale?when=reuse"), ask(server, "none", { method = "GET", body = false }) }
  end,
  expect = all_echo(6),
})

case("does not take bytes after a response as the next response", {
  requests = asking { "surplus", "none", "none" },
  expect = all_echo(3),
})

case("does not send a request again on a new connection", {
  before = function(server)
    server:reset()
  end,
  requests = asking { "drop", "reset", "lose_answer" },
  expect = function(outcomes, server)
    for index = 1, 3 do
      failed(outcomes[index], "network", true)
    end
    check(server:inspect().requests == 3, "%d requests instead of 3", server:inspect().requests)
  end,
})

case("does not send a request again that is marked once, and keeps the connection otherwise", {
  before = function(server)
    server:reset()
  end,
  requests = function(server)
    return { ask(server, "none", { once = true }), ask(server, "lose_answer", { once = true }),
      ask(server, "none", { once = true }), ask(server, "lose_answer?reset=1", { once = true }),
      ask(server, "none", { once = true }), ask(server, "none", { once = true, body = ("x"):rep(100000) }),
      ask(server, "none") }
  end,
  expect = function(outcomes, server)
    failed(outcomes[2], "network", true)
    failed(outcomes[4], "network", true)
    check(echo_of(outcomes[3]).body == '{"name":"event"}', "the body was changed")
    check(echo_of(outcomes[6]).body == ("x"):rep(100000), "the long body was changed")
    check(echo_of(outcomes[5]).connection == echo_of(outcomes[6]).connection
      and echo_of(outcomes[5]).connection == echo_of(outcomes[7]).connection, "the connection was not kept")
    check(server:inspect().requests == 7, "%d requests instead of 7", server:inspect().requests)
  end,
})

case("does not send a request again once a response has begun", {
  before = function(server)
    server:reset()
  end,
  requests = asking { "none", "cut?at=head", "none", "cut" },
  expect = function(outcomes, server)
    echo_of(outcomes[1])
    failed(outcomes[2], "network", true)
    echo_of(outcomes[3])
    failed(outcomes[4], "network", true)
    check(server:inspect().requests == 4, "%d requests instead of 4", server:inspect().requests)
  end,
})

-- ---- TLS ----

local function over_tls(port_name, path)
  return function(server)
    return { ask(server, path or "none?auth_signature=abc", { scheme = "https", port = server[port_name] }) }
  end
end

local function trusting(server)
  return { ca_file = server.ca_file }
end

local function unverified()
  return { tls_verify = false }
end

case("speaks TLS with a server whose authority is trusted", {
  needs = "tls_option",
  options = trusting,
  requests = function(server)
    local list = over_tls("tls_port")(server)
    list[2] = ask(server, "none", { scheme = "https", host = "localhost", port = server.tls_port })
    list[3] = ask(server, "none", { scheme = "https", port = server.tls_port })
    return list
  end,
  expect = function(outcomes)
    for index = 1, 3 do
      check(echo_of(outcomes[index]).listener == "tls", "not over TLS")
    end
  end,
})

-- By number and by name: inside nginx these are checked in two ways.
local function over_tls_twice(port_name)
  return function(server)
    return { over_tls(port_name)(server)[1],
      ask(server, "none", { scheme = "https", host = "localhost", port = server[port_name] }) }
  end
end

for port_name, text in pairs {
  untrusted_port = "of an untrusted authority", self_signed_port = "that is signed by its own key",
  wrong_name_port = "for another name", expired_port = "that has expired",
} do
  case("refuses a certificate " .. text, {
    needs = "tls_option",
    options = trusting,
    requests = over_tls_twice(port_name),
    expect = all_fail(2, "tls", false),
  })
end

-- RFC 9110 section 4.3.5: an address is looked for among the subjectAltNames only.
case("refuses a certificate that has the address in its common name only", {
  needs = "tls_option",
  options = trusting,
  requests = over_tls("common_name_port"),
  expect = fails_with("tls", false),
})

case("refuses a certificate of an untrusted authority without options", {
  requests = over_tls("untrusted_port"),
  expect = fails_with("tls", false),
})

case("accepts any certificate with tls_verify = false", {
  needs = "tls_option",
  options = unverified,
  requests = function(server)
    local list = {}
    for index, name in ipairs { "untrusted", "self_signed", "wrong_name", "expired", "common_name" } do
      list[index] = over_tls(name .. "_port")(server)[1]
    end
    return list
  end,
  expect = all_echo(5),
})

case("reports a server that does not speak TLS", {
  requests = function(server)
    return { ask(server, "none", { scheme = "https", timeout = 3 }) }
  end,
  expect = function(outcomes)
    local code = outcomes[1].details and outcomes[1].details.code
    failed(outcomes[1], code == "network" and "network" or "tls", false)
  end,
})

case("gives up on a handshake that does not proceed", {
  needs = "tls_option",
  options = trusting,
  requests = function(server)
    return { ask(server, "none", { scheme = "https", port = server.silent_port, timeout = 0.25 }) }
  end,
  expect = function(outcomes)
    failed(outcomes[1], "timeout", false)
    took(outcomes[1], 0.2, 2)
  end,
})

-- A transport may not know whether the handshake broke, after which another call may succeed, or was refused.
local BREAKS = { close = true, reset = true, half_hello = true }

for _, fault in ipairs { "close", "reset", "alert", "half_hello", "garbage" } do
  case("reports a handshake that ends early: " .. fault, {
    needs = "tls_option",
    options = trusting,
    requests = function(server)
      local port = server.broken_ports[fault]
      return { ask(server, "none?auth_signature=abc", { scheme = "https", port = port }),
        ask(server, "none", { scheme = "https", host = "localhost", port = port }), over_tls("tls_port")(server)[1] }
    end,
    expect = function(outcomes)
      for index = 1, 2 do
        local details = outcomes[index].details or {}
        failed(outcomes[index], details.code == "network" and "network" or "tls", false)
        check(not outcomes[index].message:find("refused", 1, true), "no connection: %s", outcomes[index].message)
        check(details.retryable or not BREAKS[fault], "not retryable: %s", describe(outcomes[index]))
      end
      echo_of(outcomes[3])
    end,
  })
end

for _, fault in ipairs { "hang", "half_hello_hang" } do
  case("gives up on a handshake in time: " .. fault, {
    needs = "tls_option",
    options = trusting,
    requests = function(server)
      return { ask(server, "none", { scheme = "https", port = server.broken_ports[fault], timeout = 0.25 }) }
    end,
    expect = function(outcomes)
      failed(outcomes[1], "timeout", false)
      took(outcomes[1], 0.2, 2)
    end,
  })
end

case("reports a connection that breaks in the middle of a response over TLS", {
  needs = "tls_option",
  options = unverified,
  requests = function(server)
    return { over_tls("tls_port", "cut")(server)[1], over_tls("tls_port", "cut?reset=1")(server)[1],
      over_tls("tls_port", "stale")(server)[1], over_tls("tls_port")(server)[1],
      over_tls("tls_port", "stale?when=reuse")(server)[1], over_tls("tls_port")(server)[1] }
  end,
  expect = function(outcomes)
    failed(outcomes[1], "network", true)
    failed(outcomes[2], "network", true)
    for index = 3, 6 do
      echo_of(outcomes[index])
    end
  end,
})

-- ---- proxies ----

local function via(member, userinfo)
  return function(server)
    return { proxy = ("http://%s127.0.0.1:%d"):format(userinfo or "", server[member]) }
  end
end

local PROXY_USER = "proxy-user:proxy%20pass@"

local function trusting_via(member, userinfo)
  return function(server)
    local options = via(member, userinfo)(server)
    options.ca_file = server.ca_file
    return options
  end
end

local function saw_proxy(echo)
  for _, pair in ipairs(echo.headers) do
    check(not pair[1]:find("^proxy%-"), "%s reached the server", pair[1])
    if pair[1] == "via" then
      return true
    end
  end
end

case("sends requests through a proxy", {
  options = via("proxy_port"),
  requests = function(server)
    return { ask(server, "", { target = SIGNED }), ask(server, "", { target = DOTS }) }
  end,
  expect = function(outcomes)
    check(echo_of(outcomes[2]).target == DOTS, "other target %s", echo_of(outcomes[2]).target)
    local echo = echo_of(outcomes[1])
    check(echo.target == SIGNED and echo.method == "POST", "other request: %s %s", echo.method, echo.target)
    check(saw_proxy(echo), "not through the proxy")
  end,
})

case("sends the proxy's credentials to the proxy only", {
  options = via("proxy_auth_port", PROXY_USER),
  requests = one("none"),
  expect = function(outcomes)
    check(saw_proxy(echo_of(outcomes[1])), "not through the proxy")
  end,
})

case("returns the proxy's own response", {
  options = via("proxy_auth_port", "proxy-user:wrong@"),
  requests = one("none"),
  expect = function(outcomes)
    responded(outcomes[1], 407)
  end,
})

case("tunnels TLS through a proxy", {
  needs = "tls_option",
  options = trusting_via("proxy_auth_port", PROXY_USER),
  requests = function(server)
    return { over_tls("tls_port")(server)[1], over_tls("tls_port")(server)[1] }
  end,
  expect = function(outcomes)
    local first, second = echo_of(outcomes[1]), echo_of(outcomes[2])
    check(first.listener == "tls" and not saw_proxy(first), "not through the tunnel")
    check(first.connection == second.connection, "the tunnel was not kept")
    check(not outcomes[1].result.headers:find("established", 1, true), "the proxy's headers among the server's")
  end,
})

-- The proxy looks the name up: not every resolver reads the dot.
case("finds the certificate of a name that ends in a dot", {
  needs = "tls_option",
  options = trusting_via("proxy_port"),
  requests = function(server)
    return { ask(server, "none", { scheme = "https", host = "localhost.", port = server.tls_port }) }
  end,
  expect = function(outcomes)
    check(echo_of(outcomes[1]).listener == "tls", "not over TLS")
  end,
})

case("verifies the server behind the proxy", {
  needs = "tls_option",
  options = trusting_via("proxy_port"),
  requests = over_tls("wrong_name_port"),
  expect = fails_with("tls", false),
})

case("reports that the proxy refused the tunnel", {
  needs = "tls_option",
  options = trusting_via("proxy_auth_port", "proxy-user:wrong@"),
  requests = over_tls("tls_port"),
  expect = function(outcomes)
    failed(outcomes[1], "network", false)
    check(not outcomes[1].message:find("wrong", 1, true), "the message shows the password: %s", outcomes[1].message)
  end,
})

case("reports a proxy that cannot be reached", {
  options = via("refusing_port", PROXY_USER),
  requests = one("none"),
  expect = fails_with("network", false),
})

case("gives up on a silent proxy", {
  options = via("silent_port"),
  requests = function(server)
    return { ask(server, "none", { scheme = "https", port = server.tls_port, timeout = 0.25 }) }
  end,
  expect = function(outcomes)
    failed(outcomes[1], "timeout", false)
    took(outcomes[1], 0.2, 2)
  end,
})

local function via_broken(fault)
  return function(server)
    return { proxy = ("http://%s127.0.0.1:%d"):format(PROXY_USER, server.broken_ports[fault]), ca_file = server.ca_file }
  end
end

for fault, code in pairs {
  close = "network", reset = "network", garbage = "network", half_head = "network", flood = "too_large",
  unavailable = "network", hang = "timeout",
} do
  case("reports a proxy that opens no tunnel: " .. fault, {
    needs = "tls_option",
    options = via_broken(fault),
    requests = function(server)
      return { ask(server, "none?auth_signature=abc",
        { scheme = "https", port = server.tls_port, timeout = fault == "hang" and 0.25 or nil }) }
    end,
    expect = function(outcomes)
      failed(outcomes[1], code, false)
      check(not outcomes[1].message:find("proxy pass", 1, true), "the message shows the password")
      check(not outcomes[1].message:find("onnection refused", 1, true), "no connection: %s", outcomes[1].message)
      took(outcomes[1], 0, 2)
    end,
  })
end

for _, fault in ipairs { "tunnel_close", "tunnel_surplus" } do
  case("reports a tunnel in which no handshake succeeds: " .. fault, {
    needs = "tls_option",
    options = via_broken(fault),
    requests = over_tls("tls_port"),
    expect = function(outcomes)
      local code = outcomes[1].details and outcomes[1].details.code
      failed(outcomes[1], code == "network" and "network" or "tls", false)
    end,
  })
end

for fault, code in pairs { close = "network", reset = "network", garbage = "network", half_head = "network",
  flood = "too_large", hang = "timeout" } do
  case("reports a proxy that responds to a plain request with a fault: " .. fault, {
    options = via_broken(fault),
    requests = one("none?auth_signature=abc", { timeout = fault == "hang" and 0.25 or nil }),
    expect = fails_with(code, true),
  })
end

-- One function reads no_proxy for all transports (pusher.base.no_proxy); here is what a transport does with its result.
local function with_no_proxy(list)
  return function(server)
    return { proxy = via("refusing_port")(server).proxy, no_proxy = list:gsub("PORT", ("%d"):format(server.port)) }
  end
end

for _, list in ipairs { "example.com,127.0.0.1", "10.0.0.1 127.0.0.0/8", "127.0.0.1:PORT", "a, *" } do
  case("bypasses the proxy for a host in no_proxy: " .. list, {
    options = with_no_proxy(list),
    requests = one("", { target = SIGNED }),
    expect = function(outcomes)
      check(echo_of(outcomes[1]).target == SIGNED, "other target")
    end,
  })
end

for _, list in ipairs { "", "example.com, 10.0.0.0/8", "127.0.0.1:1", "localhost", "*.0.0.1.example" } do
  case("uses the proxy for a host that is not in no_proxy: " .. list, {
    options = with_no_proxy(list),
    requests = one("none"),
    expect = fails_with("network", false),
  })
end

case("reads no_proxy for each request", {
  options = with_no_proxy(".localhost."),
  requests = function(server)
    return { ask(server, "none"), ask(server, "none", { host = "localhost" }), ask(server, "none"),
      ask(server, "none", { host = "LOCALHOST" }) }
  end,
  expect = function(outcomes)
    for index = 1, 3, 2 do
      failed(outcomes[index], "network", false)
      echo_of(outcomes[index + 1])
    end
  end,
})

case("reads no_proxy for the host behind a tunnel", {
  needs = "tls_option",
  options = function(server)
    local options = with_no_proxy("127.0.0.0/8")(server)
    options.ca_file = server.ca_file
    return options
  end,
  requests = over_tls("tls_port"),
  expect = function(outcomes)
    echo_of(outcomes[1])
  end,
})

-- ---- bad requests, closing ----

case("refuses what would break out of its place in the message", {
  before = function(server)
    server:reset()
  end,
  requests = function(server)
    return {
      ask(server, "none", { headers = { { "X-A", "b\r\nX-C: d" } } }),
      ask(server, "none", { headers = { { "X-A", "b\0c" } } }),
      ask(server, "none", { headers = { { "X-A\r\nX-B", "c" } } }),
      ask(server, "none", { headers = { { "X A", "b" } } }),
      ask(server, "none HTTP/1.1\r\nX-A: b\r\n"),
      ask(server, "none?a b"),
      ask(server, "none", { host = "127.0.0.1\r\nX-A: b" }),
      ask(server, "none", { host = "user@127.0.0.1" }),
      ask(server, "none", { method = "POST / HTTP/1.1\r\nX: " }),
    }
  end,
  expect = function(outcomes, server)
    for index = 1, 9 do
      failed(outcomes[index], "invalid", false)
    end
    check(server:inspect().requests == 0, "something was sent")
  end,
})

case("fails with closed after close, which may be called twice", {
  requests = function(server)
    return { ask(server, "none"), ask(server, "none", { close_first = true }),
      ask(server, "none", { close_first = true }) }
  end,
  expect = function(outcomes)
    echo_of(outcomes[1])
    failed(outcomes[2], "closed", false)
    failed(outcomes[3], "closed", false)
  end,
})

-- ---- running the cases in this process ----

--- The options of a case's transport.
function contract.options(case_to_run, server)
  local options = {}
  for name, value in pairs(contract.OPTIONS) do
    options[name] = value
  end
  for name, value in pairs(case_to_run.options and case_to_run.options(server) or {}) do
    options[name] = value
  end
  return options
end

--- Runs one case; raises when the transport does not keep the contract.
-- @tparam table case_to_run one of `contract.cases`
-- @tparam table server the running local server
-- @tparam function open function(options) -> `send(request) -> result | nil, message, details`, `close()`
-- @tparam function clock function() -> seconds, monotonic
function contract.run(case_to_run, server, open, clock)
  if case_to_run.before then
    case_to_run.before(server)
  end
  local send, close = open(contract.options(case_to_run, server))
  local outcomes = {}
  for index, request in ipairs(case_to_run.requests(server)) do
    if request.close_first then
      close()
      request.close_first = nil
    end
    local start = clock()
    local result, message, details = send(request)
    outcomes[index] = { result = result, message = message, details = details, seconds = clock() - start }
  end
  close()
  case_to_run.expect(outcomes, server)
end

return contract
