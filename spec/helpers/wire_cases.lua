--- What servers send, and what each transport may make of it, as data. spec/helpers/wire_contract.lua runs the cases.
--
-- A case is `{ name =, bytes =, … }`. What the server does (tools/local_server/wire/main.lua):
--   bytes, size, pieces, after, late, ending   as in its command `play`
-- What the client sends: `request`, members that replace those of the common request.
-- What may come of it:
--   allow     list of outcomes (default: { OK }): `{ status =, body = }`, or the code of a failure
--   curl, ngx   instead of `allow` where the transports differ (`curl` is for async, too); `why` says why they may
--   libcurl   by version, as in { ["8.12"] = {…} }, what is particular to it: `allow`, `kept` ("either", too), and `own`, a
--             code with which the ordinary request that follows may fail
--   again     instead of these when the case is sent for the second time, over the connection that was kept
--   kept      true: the connection must carry the next request; false: it must not; nil: either
--   arrivals  how often the server may get the request, sent twice, at most (default 3: a stale connection is retried)
-- Cases that allow "timeout" have a short one.
--
-- Rules: RFC 9112 (message syntax), RFC 9110 section 15 (status). libcurl reads more than they allow, and its versions
-- differ; ngx has one reader, so its lists have one outcome.

local errors = require "pusher.base.errors"

local MEMBERS = {}
for member in ("name bytes size pieces after late ending request allow curl ngx libcurl why again kept arrivals")
  :gmatch("%S+") do
  MEMBERS[member] = true
end

local cases, seen = {}, {}

local function check_outcomes(case, list)
  for _, outcome in ipairs(list or {}) do
    local code = type(outcome) == "string" and outcome
    assert(not code or errors.CODES[code] ~= nil, case.name .. ": unknown code")
    assert(code or (outcome.status and outcome.body), case.name .. ": status or body is missing")
  end
end

local function check(case)
  assert(not seen[case.name], case.name .. " is there twice")
  seen[case.name] = true
  for member in pairs(case) do
    assert(MEMBERS[member], ("%s: unknown member %s"):format(case.name, member))
  end
  for _, member in ipairs { "allow", "curl", "ngx", "again" } do
    check_outcomes(case, case[member])
  end
  for _, special in pairs(case.libcurl or {}) do
    check_outcomes(case, special.allow)
  end
  assert(case.why or not (case.curl or case.ngx or case.libcurl), case.name .. ": why do the transports differ?")
end

for _, part in ipairs { "length", "chunked", "head", "status", "ending", "surplus", "idle" } do
  for _, case in ipairs(require("spec.helpers.wire_cases." .. part)) do
    check(case)
    cases[#cases + 1] = case
  end
end

return cases
