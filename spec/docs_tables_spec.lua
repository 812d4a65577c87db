-- The tables and lists of docs/metrics.md, docs/testing.md and docs/errors.md have what the code has: no more, no less.
-- Where a class of types/ stands for the code, spec/types_values_spec.lua and spec/types_options_spec.lua compare that.

local account = require("tools.local_server.account")
local errors = require("pusher.base.errors")
local fcm = require("pusher.push.fcm")
local sorted = require("spec.helpers.lists").names
local luacats = require("spec.helpers.luacats")
local new_recorder = require("pusher.transport.recorder").new
local pusher = require("pusher")
local readme = require("spec.helpers.readme")
local responses = require("pusher.transport.recorder.responses")
local source = require("spec.helpers.source")

local METRICS, TESTING, ERRORS = "docs/metrics.md", "docs/testing.md", "docs/errors.md"

local rows = readme.rows

local types = luacats.read()

local function section(page, heading)
  local text = readme.section(source.read(page), "^" .. heading .. "$")
  return assert(text ~= "" and text, heading)
end

-- The names in backticks: a set.
local function names_in(text, set)
  set = set or {}
  for name in text:gmatch("`([%w_]+)`") do
    set[name] = true
  end
  return set
end

local function names_of(list)
  local set = {}
  for _, cells in ipairs(list) do
    names_in(cells[1], set)
  end
  return set
end

local function same_names(expected, found)
  assert.same(sorted(expected), sorted(found))
end

local function new_client(recorder, observe)
  return assert(pusher.new { app_id = "1", key = "key", secret = "secret", host = "127.0.0.1", transport = recorder,
    observe = observe })
end

local function new_fcm(recorder, observe)
  local handler = assert(fcm.new { transport = recorder, observe = observe, devices = function(uids)
    return { [uids[1]] = { { device_id = "d" }, { device_id = "e" } } }
  end })
  assert(handler:init { enabled = true, credentials = account.new(), retry = { base = 0.01 }, max_in_flight = 1 })
  return handler
end

describe(METRICS, function()
  it("has the fields that observe gets, with their types", function()
    local fields, list = luacats.fields(types, "pusher.ObservedCall"), rows(section(METRICS, "observe"), "field")
    same_names(fields, names_of(list))
    for _, cells in ipairs(list) do
      for name in pairs(names_in(cells[1])) do
        local kinds = luacats.kinds(types, fields[name].type)
        local kind = kinds.integer and "number" or next(kinds)
        assert.equal(kind .. (fields[name].optional and " or nil" or ""), cells[2], name)
      end
    end
  end)

  -- What is observed of every call.
  local function endpoints()
    local seen, recorder = {}, new_recorder()
    local function observe(call)
      seen[call.endpoint] = true
    end
    local client = new_client(recorder, observe)
    assert(client:trigger("c", "e") and client:trigger_batch { { channel = "c", name = "e" } })
    assert(client:channels() and client:channel("c") and client:channel_users("presence-c"))
    assert(client:terminate_user_connections("u") and client:force_reconnect_user("u"))
    assert(client:notify({ "i" }, { fcm = {} }) and client:get("/own"))
    local service = assert(require("pusher.beams").new { instance_id = "i", secret_key = "k", transport = recorder,
      observe = observe })
    assert(service:publish_to_interests({ "i" }, { fcm = {} }) and service:publish_to_users({ "u" }, { fcm = {} }))
    assert(service:delete_user("u"))
    local handler = new_fcm(recorder, observe)
    assert(handler:push { to = { AQAAAAAAAAA = {} }, payload = { what = "msg", content = "text" } } and handler:flush())
    return seen
  end

  it("has the endpoints, and no other", function()
    local documented = {}
    local list = section(METRICS, "observe"):match("The values of `endpoint`.-\n\n(.-)\n\n")
    for name in list:gsub("client:%l+", ""):gmatch("`([/%l][%w_/:]*)`") do
      documented[name] = true
    end
    same_names(endpoints(), documented)
  end)

  -- Watches counts: `look(subject)` reads them, and `check` compares the names, and which ones have gone down.
  local function watch()
    local seen, down = nil, {}
    local function look(subject)
      local stats = subject:stats()
      for name, value in pairs(seen or {}) do
        down[name] = down[name] or stats[name] < value
      end
      seen = stats
    end
    return look, function(heading)
      local list = rows(section(METRICS, heading), "field")
      same_names(seen, names_of(list))
      for _, cells in ipairs(list) do
        for name in pairs(names_in(cells[1])) do
          assert.equal(down[name] and "gauge" or "counter", cells[2], name)
        end
      end
    end
  end

  it("has the counts of a publisher, and says which ones also go down", function()
    local look, check = watch()
    local publisher
    publisher = assert(new_client(new_recorder(), function() look(publisher) end):publisher())
    assert(publisher:trigger("c", "e"))
    look(publisher)
    assert(publisher:flush()) -- observe sees the batch in flight
    look(publisher)
    check("The figures of a publisher")
  end)

  it("has the counts of FCM, and says which ones also go down", function()
    local look, check = watch()
    local recorder, handler = new_recorder(), nil
    handler = new_fcm(recorder, function() look(handler) end)
    recorder:respond { status = 503, path = "/messages:send" }
    assert(handler:push { to = { AQAAAAAAAAA = {} }, payload = { what = "msg", content = "text" } })
    look(handler)
    assert(handler:flush())
    look(handler)
    check("The figures of FCM")
  end)

  it("alerts on figures and codes that exist", function()
    local known, wrong = { timeout = true, max_queue = true, code = true }, {}
    local counts = new_client(new_recorder()):publisher():stats()
    for _, set in ipairs { errors.CODES, luacats.fields(types, "pusher.ObservedCall"), counts,
      new_fcm(new_recorder()):stats() } do
      for name in pairs(set) do
        known[name] = true
      end
    end
    for _, cells in ipairs(rows(section(METRICS, "What to alert on"), "figure")) do
      for name in pairs(names_in(table.concat(cells, " "))) do
        wrong[#wrong + 1] = not known[name] and name or nil
      end
    end
    assert.same({}, wrong)
  end)
end)

describe(TESTING, function()
  it("has the options of a recorder", function()
    local list = rows(section(TESTING, "The recorder"), "option")
    local fields = luacats.fields(types, "pusher.RecorderOptions")
    same_names(fields, names_of(list))
    for _, cells in ipairs(list) do
      local name, default = cells[1]:match("`([%w_]+)`(.*)")
      assert.equal(fields[name].text:match("default (%w+)"), default:match("= (%w+)"), name)
    end
  end)

  it("has the methods of a recorder", function()
    local methods, listed = {}, {}
    for name, value in pairs(getmetatable(new_recorder { pendings = true }).__index) do
      methods[name] = type(value) == "function" or nil
    end
    for _, name in ipairs { "abandon", "drive", "fail" } do
      methods[name] = nil -- for its pendings and clients
    end
    for _, cells in ipairs(rows(section(TESTING, "The recorder"), "method")) do
      for name in cells[1]:gmatch("`recorder:([%l_]+)") do
        listed[name] = true
      end
    end
    same_names(methods, listed)
  end)

  it("has the members of an event and of a request", function()
    local listed = names_of(rows(section(TESTING, "Events"), "member"))
    listed.error = section(TESTING, "Events"):find("`error`", 1, true) and true or nil -- in the row of `encrypted`
    same_names(luacats.fields(types, "pusher.RecordedEvent"), listed)
    local request = section(TESTING, "Requests"):match("each failure too: (.-)%. It has")
    same_names(luacats.fields(types, "pusher.RecordedRequest"), names_in(request))
  end)

  it("has the members of a response, with their defaults, and the codes", function()
    local list, declared = rows(section(TESTING, "Responses and failures"), "member"), responses.DECLARED
    same_names(declared, names_of(list))
    for _, cells in ipairs(list) do
      local name, default = cells[1]:match("`([%w_]+)`(.*)")
      if name == "status" then
        assert.equal(("%d to %d"):format(declared.status.min, declared.status.max), cells[2])
        local recorder = new_recorder():respond { path = "/channels" }
        new_client(recorder):channels()
        assert.equal(default, " = " .. recorder:requests()[1].status)
      elseif name == "code" then
        local codes = {}
        for _, code in ipairs(declared.code.one_of) do
          codes[code] = true
        end
        same_names(codes, names_in(cells[2]))
      else
        local value = declared[name].default
        assert.equal(value and " = " .. value or "", default:match("^ = .*") or "", name)
      end
    end
  end)
end)

describe(ERRORS, function()
  it("has the members of details, and no other", function()
    local listed = section(ERRORS, "Errors"):match("`details` is a fresh table with (.-)%. None"):gsub("`false`", "")
    same_names(luacats.fields(types, "pusher.Details"), names_in(listed))
  end)
end)
