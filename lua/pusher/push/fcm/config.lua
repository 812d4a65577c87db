--- The configuration of the FCM handler: JSON-like values in; one checked, complete table out. Pure.

local configs = require "pusher.push.config"
local endpoint = require "pusher.base.endpoint"
local messages = require "pusher.push.fcm.message"
local options = require "pusher.base.options"

local config = {}

config.FCM_URL = "https://fcm.googleapis.com"

local DEFAULT_BUFFER = 32
local MAX_BUFFER = 1000000

local function texts(fields)
  for _, name in ipairs {
    "title_loc_key", "title", "body_loc_key", "body", "icon", "icon_color", "click_action",
  } do
    fields[name] = { "string" }
  end
  return fields
end

config.DECLARED = options.with_transport {
  enabled = { "boolean", default = false },
  credentials = { "table", "string" }, -- this and the next three are read by pusher.push.fcm.credentials
  credentials_file = { "string" },
  project_id = { "string" },
  token_url = { "string" },
  buffer = { "number", default = DEFAULT_BUFFER, min = -MAX_BUFFER, max = MAX_BUFFER, integer = true }, -- receipts
  time_to_live = { "number", min = 0, max = messages.MAX_TTL, integer = true }, -- seconds
  max_in_flight = { "number", default = 8, min = 1, max = 1000, integer = true }, -- messages
  timeout = { "number", default = 10, min = 0.001, max = 3600 }, -- seconds; Google asks for 10 or more
  token_early = { "number", default = 120, min = 0, max = 1800 }, -- seconds before an access token expires
  validate_only = { "boolean", default = false },
  dry_run = { "boolean", default = false }, -- tinode's later name for it
  fcm_url = { "string", default = config.FCM_URL },
  retry = { "table", fields = {
    attempts = { "number", default = 8, min = 1, max = 100, integer = true }, -- in total
    base = { "number", default = 10, min = 0, max = 3600 }, -- seconds before the first retry; Google asks for 10
    max = { "number", default = 600, min = 0, max = 3600 }, -- seconds, the longest wait
    quota = { "number", default = 60, min = 0, max = 3600 }, -- seconds after QUOTA_EXCEEDED without a Retry-After
    deadline = { "number", default = 3600, min = 0, max = 86400 }, -- seconds until a message is given up
  } },
  -- The texts of each kind of push win over the common ones where they are not empty.
  android = { "table", fields = texts {
    enabled = { "boolean", default = false },
    msg = { "table", fields = texts {} },
    sub = { "table", fields = texts {} },
  } },
}

config.DECLARED.log = nil -- a function, which no configuration can have

local function check_colors(android)
  for name, section in pairs { ["android"] = android, ["android.msg"] = android.msg, ["android.sub"] = android.sub } do
    local color = section.icon_color or ""
    if color ~= "" and not messages.is_color(color) then
      return configs.fail(name .. ".icon_color must be in the #RRGGBB form", name .. ".icon_color")
    end
  end
  return true
end

--- Checks a configuration and fills in the defaults.
-- @tparam table given see docs/push.md; JSON null counts as absent, and for the whole of it as an empty one
-- @tparam[opt] function unknown function(name), called for each member that nothing reads
-- @treturn table|nil a fresh, complete table
function config.check(given, unknown)
  local checked, message, details = configs.check(given, config.DECLARED, unknown)
  local ok
  if checked then
    ok, message, details = check_colors(checked.android)
  end
  if not ok then
    return nil, message, details
  end
  checked.endpoint, message, details = endpoint.parse(checked.fcm_url, "fcm_url")
  if not checked.endpoint then
    return configs.fail(message, details.field)
  end
  if type(given) == "table" and type(rawget(given, "credentials")) == "userdata" then
    checked.credentials = {} -- as in tinode: null is an account that lacks everything, not one that is absent
  end
  checked.buffer = checked.buffer > 0 and checked.buffer or DEFAULT_BUFFER -- as in tinode
  checked.validate_only = checked.validate_only or checked.dry_run
  checked.ttl = checked.time_to_live and ("%.0fs"):format(checked.time_to_live)
  return checked
end

return config
