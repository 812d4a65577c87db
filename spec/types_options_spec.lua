-- The classes of options in types/ have the options that are declared: their names, types and defaults.

local lists = require("spec.helpers.lists")
local luacats = require("spec.helpers.luacats")
local options = require("pusher.base.options")
local pusher = require("pusher")
local source = require("spec.helpers.source")

local assert_none, keys = lists.assert_none, lists.names

local types = luacats.read()

local unpack = table.unpack or unpack -- luacheck: ignore 143

-- What a declaration allows, as luacats.kinds has it.
local function declared_kinds(rule)
  local kinds = {}
  for _, kind in ipairs(rule) do
    kinds[kind == "number" and rule.integer and "integer" or kind] = true
  end
  return kinds
end

local function check_default(rule, field)
  local default = rule.default
  local shown = type(default) == "number" and ("%.14g"):format(default) or tostring(default)
  local is_shown = default ~= nil and type(default) ~= "function"
  if not is_shown and field.text:find("default [%w_]") then
    return "has no default of this kind"
  elseif is_shown and not (field.text .. " "):find("default " .. shown .. " ", 1, true) then
    return "has the default " .. shown
  end
end

local function check_one_of(rule, field)
  local expected, strings = { unpack(rule.one_of) }, keys(luacats.strings(types, field.type))
  table.sort(expected)
  local text, found = table.concat(expected, ", "), table.concat(strings, ", ")
  return text ~= found and ("is one of %s, not of %s"):format(text, found)
end

-- Lists where the fields of a class differ from a declaration.
local function compare(class, declared, wrong)
  local fields = luacats.fields(types, class)
  local function report(name, message)
    wrong[#wrong + 1] = message and ("%s.%s %s"):format(class, name, message) or nil
  end
  for name, rule in pairs(declared) do
    local field = fields[name]
    if not field then
      report(name, "is missing")
    else
      report(name, not field.optional and "may be left out")
      local expected = table.concat(keys(declared_kinds(rule)), ", ")
      local found = table.concat(keys(luacats.kinds(types, field.type)), ", ")
      report(name, found ~= expected and ("is a %s, not a %s"):format(expected, found))
      report(name, check_default(rule, field))
      report(name, rule.one_of and check_one_of(rule, field))
      if rule.fields then
        compare(field.type, rule.fields, wrong)
      end
    end
  end
  for name in pairs(fields) do
    report(name, not declared[name] and "is no option")
  end
end

describe("the options in types/", function()
  for class, declared in pairs {
    ["pusher.Options"] = require("pusher.channels.settings").DECLARED,
    ["pusher.PublisherOptions"] = require("pusher.publisher.settings").DECLARED,
    ["pusher.TransportOptions"] = options.TRANSPORT,
    ["pusher.FcmConfig"] = require("pusher.push.fcm.config").DECLARED,
    ["pusher.RecorderResponse"] = require("pusher.transport.recorder.responses").DECLARED,
  } do
    it("have the declared names, types and defaults: " .. class, function()
      local wrong = {}
      compare(class, declared, wrong)
      assert_none(wrong)
    end)
  end

  -- Declarations that a module keeps to itself: the names from its source, the types from its messages.
  local OWN = {
    { "pusher.BeamsOptions", "lua/pusher/beams.lua", "OPTIONS", require("pusher.beams").new },
    { "pusher.PushOptions", "lua/pusher/push.lua", "OPTIONS", require("pusher.push").new },
    { "pusher.FcmOptions", "lua/pusher/push/fcm.lua", "OPTIONS", require("pusher.push.fcm").new },
    { "pusher.StdoutOptions", "lua/pusher/push/stdout.lua", "OPTIONS", require("pusher.push.stdout").new },
    { "pusher.StdoutConfig", "lua/pusher/push/stdout.lua", "CONFIG", function(given)
      return require("pusher.push.stdout").new():init(given)
    end },
    { "pusher.RecorderOptions", "lua/pusher/transport/recorder.lua", "OPTIONS", function(given)
      return pcall(require("pusher.transport.recorder").new, given) -- raises the message
    end },
    { "pusher.WebhookOptions", "lua/pusher/channels/webhook.lua", "OPTIONS", function(given)
      return assert(pusher.from_url("http://key:secret@127.0.0.1/apps/1")):webhook({}, "", given)
    end },
    { "pusher.FormOptions", "lua/pusher/openresty.lua", "FORM_OPTIONS" },
    { "pusher.HookOptions", "lua/pusher/openresty.lua", "HOOK_OPTIONS" },
  }

  -- The default in a declaration's text: a boolean, a number or a text, or a constant of the file with a number.
  local function own_default(text, declaration)
    local default = declaration:match("default = ([%w_]+)[,%s]")
    local quoted = declaration:match('default = "(.-)"')
    if quoted then
      return quoted
    end
    local factor, other = text:match("\nlocal " .. (default or "%s") .. " = (%d+) ?%*? ?(%d*)\n")
    if default == "true" or default == "false" then
      return default == "true"
    end
    return factor and factor * (tonumber(other) or 1) or tonumber(default)
  end

  local function own_one_of(declaration)
    local values
    for value in (declaration:match("one_of = (%b{})") or ""):gmatch('"(.-)"') do
      values = values or {}
      values[#values + 1] = value
    end
    return values
  end

  -- The options to their declarations, of which `default` and `one_of` alone are read.
  local function own_rules(path, name)
    local text = source.read(path)
    local first, body = text:match("\nlocal " .. name .. " = ([%w_.]*) ?{\n(.-\n)}")
    local rules = {}
    for option, declaration in ("\n" .. body):gmatch("\n  ([%w_]+) = ([^\n]*)") do
      rules[option] = { default = own_default(text, declaration), one_of = own_one_of(declaration) }
    end
    for option, rule in pairs(first == "options.with_transport" and options.TRANSPORT or {}) do
      rules[option] = rules[option] or rule
    end
    return rules
  end

  local function expected_text(field)
    local kinds = {}
    for kind in pairs(luacats.kinds(types, field.type)) do
      kinds[kind == "integer" and "number" or kind] = true
    end
    return keys(kinds)
  end

  for _, entry in ipairs(OWN) do
    local class, path, name, new = entry[1], entry[2], entry[3], entry[4]
    it("have the names and types of " .. path .. ", " .. name, function()
      local fields, rules = luacats.fields(types, class), own_rules(path, name)
      assert.same(keys(rules), keys(fields))
      for option, field in pairs(fields) do
        assert.is_true(field.optional, option)
        assert.is_nil(check_default(rules[option], field), option)
        assert.is_falsy(rules[option].one_of and check_one_of(rules[option], field), option)
      end
      for option, field in pairs(new and fields or {}) do
        local _, message = new { [option] = coroutine.create(new) }
        local allowed = {}
        for kind in message:match("must be (.-), got thread"):gmatch("a (%a+)") do
          allowed[kind] = true
        end
        assert.same(keys(allowed), expected_text(field), option)
      end
    end)
  end
end)
