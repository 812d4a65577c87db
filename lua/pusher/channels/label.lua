--- The path of a call in, the name of the endpoint out: one of few, as labels of metrics have to be. Pure.

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local label = {}

local OTHER = "other"

local NAMES = {
  ["/events"] = "/events", ["/batch_events"] = "/batch_events", ["/channels"] = "/channels",
  ["/notifications"] = "/notifications",
}

-- By the first part of the path, then by what follows the second one.
local TEMPLATES = {
  channels = { [""] = "/channels/:name", ["/users"] = "/channels/:name/users" },
  users = {
    ["/terminate_connections"] = "/users/:id/terminate_connections",
    ["/force_reconnect"] = "/users/:id/force_reconnect",
  },
}

local function name_of(path)
  local first, rest = path:match("^/([a-z]+)/[^/]+(.*)$")
  return first and TEMPLATES[first] and TEMPLATES[first][rest] or OTHER
end

--- Makes the function that names the endpoints of an app.
-- @tparam string ... what the paths begin with
-- @treturn function label(path) -> such as "/events" or "/channels/:name"; "other" for a path of get's or post's own
function label.new(...)
  local names, bases = {}, { ... }
  for _, base in ipairs(bases) do
    for path, name in pairs(NAMES) do
      names[base .. path] = name
    end
  end
  return function(path)
    return names[path] or name_of(path:sub(#bases[1] + 1))
  end
end

return label
