--- An environment that changes what other HTTP clients do, and the cases of the transport contract to run in it: no
-- variable and no file of the user's changes what a transport does.
--
-- Each entry of `environment.list` is `{ name =, variables = function(server, home) -> names to values, case = }`, where
-- `case` is as in spec/helpers/transport_contract.lua and `home` a folder with a .netrc for the server.

local cjson = require "cjson"
local contract = require "spec.helpers.transport_contract"
local request = require "spec.helpers.request"
local shell = require "tools.shell"
local text_file = require "tools.text_file"

local environment = {}

local PROXIES = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" }

local NETRC = "machine 127.0.0.1 login netrc-user password netrc-password\n"
  .. "default login netrc-user password netrc-password\n"

--- Runs a function with a home folder; the folder is removed afterwards.
-- @tparam function body function(path)
function environment.with_home(body)
  local home = shell.run("mktemp -d -t pusher-home.XXXXXX")
  local path = home .. "/.netrc"
  text_file.write(path, NETRC)
  os.execute("chmod 600 " .. path)
  local ok, message = pcall(body, home)
  os.remove(path)
  os.remove(home)
  if not ok then
    error(message, 0)
  end
end

-- The headers that the server received, by name.
local function received(outcome)
  local headers = {}
  assert(outcome.result, outcome.message)
  assert(outcome.result.status == 200, "status " .. outcome.result.status)
  for _, pair in ipairs(cjson.decode(outcome.result.body).headers) do
    headers[pair[1]] = pair[2]
  end
  return headers
end

environment.list = {
  {
    name = "takes no proxy and no credentials from the environment",
    variables = function(server, home)
      local variables = { HOME = home, NETRC = home .. "/.netrc", CURL_HOME = home }
      for _, name in ipairs(PROXIES) do
        variables[name] = "http://user:secret@127.0.0.1:" .. server.refusing_port
      end
      return variables
    end,
    case = {
      requests = function(server)
        return { request(server), request(server, "none", { host = "localhost" }) }
      end,
      expect = function(outcomes)
        for _, outcome in ipairs(outcomes) do
          local headers = received(outcome)
          assert(not headers.authorization, "credentials were sent")
          assert(not headers.via, "through a proxy")
        end
      end,
    },
  },
  {
    name = "takes no exceptions to its proxy from the environment",
    variables = function(_, home)
      return { no_proxy = "*", NO_PROXY = "*", HOME = home }
    end,
    case = {
      options = function(server)
        return { proxy = "http://127.0.0.1:" .. server.proxy_port }
      end,
      requests = function(server)
        return { request(server) }
      end,
      expect = function(outcomes)
        local headers = received(outcomes[1])
        assert(headers.via, "not through the proxy")
        assert(not headers.authorization, "credentials were sent")
      end,
    },
  },
}

--- Runs an entry in a child of this process; raises when it fails.
-- @param ... as for `contract.run`, from `server` on
function environment.run_in_child(entry, server, open, clock)
  local process = require "pusher_test.process" -- not built for what runs inside nginx
  environment.with_home(function(home)
    local status = process.run(function()
      for name, value in pairs(entry.variables(server, home)) do
        process.setenv(name, value)
      end
      contract.run(entry.case, server, open, clock)
    end)
    assert(status == 0, "the child failed")
  end)
end

return environment
